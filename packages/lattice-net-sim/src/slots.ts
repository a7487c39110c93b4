/**
 * A fixed number of places, and a line for those who find none.
 *
 * @module
 */
import { StreamLost } from '@lattice/net-types'
import { createDeferred, type Deferred } from './deferred.ts'

export interface Slots {
  /** Waits for a place. Rejects with {@link StreamLost} once failed. */
  readonly take: () => Promise<void>
  readonly release: () => void
  readonly fail: (message: string) => void
}

/** Starts with `count` free places. */
export function createSlots(count: number): Slots {
  let free = count
  let failure: string | undefined
  // One entry per call that somebody awaits: bounded by the callers.
  const line: Deferred<void>[] = []
  return {
    take: async () => {
      if (failure !== undefined) throw new StreamLost(failure)
      if (free > 0) {
        free -= 1
        return
      }
      const turn = createDeferred<void>()
      line.push(turn)
      await turn.promise
      if (failure !== undefined) throw new StreamLost(failure)
    },
    release: () => {
      const next = line.shift()
      if (next === undefined) free += 1
      else next.resolve()
    },
    fail: (message) => {
      failure = message
      for (const turn of line.splice(0)) turn.reject(new StreamLost(message))
    },
  }
}
