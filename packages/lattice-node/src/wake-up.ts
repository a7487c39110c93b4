/**
 * Waiting for whichever comes first: a nudge, a deadline, or the end.
 *
 * @module
 */
import type { AbortSignal, Scheduler } from '@lattice/model'

export interface WakeUp {
  /** Ends the present wait; without one, the next ends at once. */
  readonly nudge: () => void
  /** Resolves on a nudge or after `delayMs`; rejects with `signal.reason` when that aborts first. One waiter at a time. */
  readonly wait: (delayMs: number, signal: AbortSignal) => Promise<void>
}

/** Makes a wake-up on the timers of `scheduler`. */
export function createWakeUp(scheduler: Scheduler): WakeUp {
  let nudged = false
  let wake: (() => void) | undefined
  return {
    nudge: () => {
      nudged = true
      wake?.()
    },
    wait: async (delayMs, signal) => {
      signal.throwIfAborted()
      if (!nudged) {
        await new Promise<void>((resolve) => {
          const end = (): void => {
            cancel()
            signal.removeEventListener('abort', end)
            resolve()
          }
          const cancel = scheduler.after(delayMs, end)
          signal.addEventListener('abort', end, { once: true })
          wake = end
        })
        wake = undefined
      }
      nudged = false
      signal.throwIfAborted()
    },
  }
}
