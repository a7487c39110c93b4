/**
 * One question at a terminal, outside of the REPL. It is written to stderr, for stdout may be read by a program.
 *
 * @module
 */
import { createInterface } from 'node:readline'
import type { Ask } from './command-context.ts'
import { Interrupted } from './errors.ts'
import type { InputStream, OutputStream } from './io.ts'
import { INTERRUPT_EXIT } from './repl/foreground.ts'

export interface AskTerminalOptions {
  readonly input: InputStream
  readonly output: OutputStream
  /** Ends the waiting: rejects with its reason. */
  readonly signal: AbortSignal
}

/** Asks at the terminal; undefined where input and output are none. */
export function askTerminal({ input, output, signal }: AskTerminalOptions): Ask | undefined {
  if (input.isTTY !== true || output.isTTY !== true) return undefined
  return async (question) => {
    signal.throwIfAborted()
    const terminal = createInterface({ input, output, terminal: true, historySize: 0 })
    const leave = (): void => terminal.close()
    signal.addEventListener('abort', leave, { once: true })
    try {
      const answer = await new Promise<string | undefined>((resolve, reject) => {
        // Ctrl-C arrives as a key here, not as a signal.
        terminal.on('SIGINT', () => reject(new Interrupted(INTERRUPT_EXIT)))
        terminal.once('close', () => resolve(undefined))
        terminal.question(question, resolve)
      })
      signal.throwIfAborted()
      return answer
    } finally {
      signal.removeEventListener('abort', leave)
      terminal.close()
    }
  }
}
