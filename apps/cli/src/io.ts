/**
 * What a command line needs of the process around it, as one record, so that a
 * test can be that process.
 *
 * @module
 */
import { performance } from 'node:perf_hooks'

export interface OutputStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean
  readonly columns?: number
}

export interface InputStream extends NodeJS.ReadableStream {
  readonly isTTY?: boolean
}

/** Wall time for what is shown, monotonic time for what is measured. */
export interface CliClock {
  readonly wallMs: () => number
  readonly monotonicMs: () => number
}

export interface CliIo {
  readonly stdin: InputStream
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: CliClock
  /** Calls `handler` on SIGINT and SIGTERM with the exit code that stands for it; returns the undo. */
  readonly onInterrupt: (handler: (exitCode: number) => void) => () => void
}

/** As a shell reports a process ended by the signal: 128 + its number. */
const INTERRUPT_EXITS = { SIGINT: 130, SIGTERM: 143 } as const

export const systemClock: CliClock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }

/** The process this runs in. */
export function processIo(): CliIo {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    clock: systemClock,
    onInterrupt: (handler) => {
      // Once: a second signal ends the process at once, as if nobody listened.
      const onInt = (): void => handler(INTERRUPT_EXITS.SIGINT)
      const onTerm = (): void => handler(INTERRUPT_EXITS.SIGTERM)
      process.once('SIGINT', onInt)
      process.once('SIGTERM', onTerm)
      return () => {
        process.off('SIGINT', onInt)
        process.off('SIGTERM', onTerm)
      }
    },
  }
}
