/**
 * Repeats a task whenever it is asked for, never twice at once: requests that
 * come while it runs make it run once more.
 *
 * @module
 */
import { isLatticeError } from '@lattice/model'

export interface Refresher {
  readonly request: () => void
  /** Resolves when nothing runs. */
  readonly idle: () => Promise<void>
}

/** A refusal of the node leaves what was shown before: the next command will say what is wrong. */
export function createRefresher(task: () => Promise<void>): Refresher {
  let running: Promise<void> | undefined
  let isWanted = false
  const run = async (): Promise<void> => {
    while (isWanted) {
      isWanted = false
      try {
        await task()
      } catch (error) {
        if (!isLatticeError(error)) throw error
      }
    }
  }
  return {
    request: () => {
      isWanted = true
      running ??= run().finally(() => {
        running = undefined
      })
    },
    idle: async () => {
      await running
    },
  }
}
