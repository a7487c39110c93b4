/**
 * A bound on how much runs at once, first come first served.
 *
 * @module
 */
import type { AbortSignal } from '@lattice/model'

export interface Slots {
  /** Runs `task` once there is room; rejects as it does, or with `signal.reason` when that aborts before it began. */
  readonly run: <T>(task: () => Promise<T>, signal: AbortSignal) => Promise<T>
}

/** Room for `capacity` tasks. Who waits is the caller's to bound. */
export function createSlots({ capacity }: { readonly capacity: number }): Slots {
  const waiting = new Set<() => void>()
  let running = 0
  const enter = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted()
    if (running < capacity) {
      running += 1
      return
    }
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        waiting.delete(begin)
        reject(signal.reason)
      }
      const begin = (): void => {
        waiting.delete(begin)
        signal.removeEventListener('abort', abort)
        resolve()
      }
      waiting.add(begin)
      signal.addEventListener('abort', abort, { once: true })
    })
  }
  /** The place goes to who waits longest, without ever being free in between. */
  const leave = (): void => {
    const [next] = waiting
    if (next === undefined) running -= 1
    else next()
  }
  return {
    run: async (task, signal) => {
      await enter(signal)
      try {
        return await task()
      } finally {
        leave()
      }
    },
  }
}
