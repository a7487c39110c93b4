/**
 * Child processes that answer with one message.
 *
 * @module
 */
import { fork } from 'node:child_process'

export interface ChildOptions {
  readonly args: readonly string[]
  readonly signal?: AbortSignal
}

/** Runs a module of this folder; resolves with its message once it has ended well. */
export async function answerOf(module: string, { args, signal }: ChildOptions): Promise<unknown> {
  const child = fork(new URL(module, import.meta.url), [...args], {
    execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'],
    // Only the table goes to standard output.
    stdio: ['ignore', 2, 2, 'ipc'],
    ...(signal && { signal }),
  })
  return new Promise((resolve, reject) => {
    let answer: unknown
    child.on('message', (message) => {
      answer = message
    })
    child.on('error', (error) => {
      // One that runs is waited for, also when it is told to stop: its files go only after it.
      if (child.pid === undefined) reject(error)
    })
    child.on('exit', (code, killedBy) => {
      if (code === 0 && answer !== undefined) resolve(answer)
      else reject(new Error(`${module} ended with ${killedBy ?? `exit code ${code}`}`))
    })
  })
}
