/**
 * Drives promises and timers in virtual time: nothing waits for a real clock, so hours pass in milliseconds.
 *
 * @module
 */
import type { ManualScheduler } from '@lattice/model/testing'
import { createManualClock, createManualScheduler } from '@lattice/model/testing'

/** Virtual time after which something that was waited for is taken to never come. */
export const DEFAULT_PATIENCE_MS: number = 10 * 60_000
/** Timers run before giving up: a loop that never ends fails the test instead of hanging it. */
const MAX_STEPS = 2_000_000

export interface VirtualTime {
  readonly scheduler: ManualScheduler
  /** Runs timers, each when it is due, until `condition` holds. Rejects when it does not within `patienceMs`. */
  readonly runUntil: (condition: () => boolean, what: string, patienceMs?: number) => Promise<void>
  /** Runs timers until the promise has settled, and settles as it does. */
  readonly complete: <T>(promise: Promise<T>, patienceMs?: number) => Promise<T>
  /** Lets so much time pass. */
  readonly pass: (ms: number) => Promise<void>
}

/** Starts at `wallMs`, by default a fixed instant. */
export function createVirtualTime(options: { readonly wallMs?: number } = {}): VirtualTime {
  const scheduler = createManualScheduler({ clock: createManualClock(options), settle: settleAll })
  async function runUntil(condition: () => boolean, what: string, patienceMs = DEFAULT_PATIENCE_MS): Promise<void> {
    const deadline = scheduler.clock.monotonicMs() + patienceMs
    for (let step = 0; step < MAX_STEPS; step += 1) {
      await settleAll()
      if (condition()) return
      const delay = scheduler.nextDelayMs()
      if (delay === undefined) throw new Error(`nothing is left to happen, and it is not so that ${what}`)
      if (scheduler.clock.monotonicMs() + delay > deadline) {
        throw new Error(`after ${patienceMs} ms of virtual time it is not so that ${what}`)
      }
      await scheduler.advanceAsync(delay)
    }
    throw new Error(`after ${MAX_STEPS} steps it is not so that ${what}`)
  }
  return {
    scheduler,
    runUntil,
    complete: async (promise, patienceMs) => {
      let settled = false
      const watched = promise.finally(() => {
        settled = true
      })
      // The outcome is the caller's; here it only ends the wait.
      watched.catch(() => undefined)
      await runUntil(() => settled, 'the promise has settled', patienceMs)
      return promise
    },
    pass: (ms) => scheduler.advanceAsync(ms),
  }
}

/** A turn of the event loop comes only once every promise chain has gone as far as it can. */
async function settleAll(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve)
  })
}
