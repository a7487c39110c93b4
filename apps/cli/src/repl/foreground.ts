/**
 * The command that runs in the foreground, and Ctrl-C for it.
 *
 * @module
 */
import { Interrupted } from '../errors.ts'

export interface Foreground {
  /** Runs a command that {@link interrupt} can end. */
  readonly run: <T>(command: (signal: AbortSignal) => Promise<T>) => Promise<T>
  /** Ends the running command; false when none runs. */
  readonly interrupt: () => boolean
}

/** As a shell reports Ctrl-C. */
export const INTERRUPT_EXIT = 130

export function createForeground(): Foreground {
  let running: AbortController | undefined
  return {
    run: async (command) => {
      const controller = new AbortController()
      running = controller
      try {
        return await command(controller.signal)
      } finally {
        running = undefined
      }
    },
    interrupt: () => {
      running?.abort(new Interrupted(INTERRUPT_EXIT))
      return running !== undefined
    },
  }
}
