/**
 * Runs tasks one after another, in the order they were asked for.
 *
 * @module
 */
import { NodeError } from './errors.ts'

export interface Mutex {
  /** Resolves or rejects as `task` does, which starts once all before it have ended. Refuses beyond the capacity. */
  readonly run: <T>(task: () => Promise<T>) => Promise<T>
}

/** Makes a mutex at which at most `capacity` tasks wait. */
export function createMutex({ capacity }: { readonly capacity: number }): Mutex {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  return {
    run: async (task) => {
      if (waiting >= capacity) {
        throw new NodeError('LIMIT_EXCEEDED', `${capacity} requests wait already: try again later`, {
          detail: { limit: capacity },
        })
      }
      waiting += 1
      const before = last
      const result = (async () => {
        await before
        return task()
      })()
      // The next one waits for the end, whatever it is.
      last = result.catch(() => undefined)
      try {
        return await result
      } finally {
        waiting -= 1
      }
    },
  }
}
