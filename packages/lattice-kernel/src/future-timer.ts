/**
 * Wakes what floats because of its time, when that time comes.
 *
 * `now` may jump: the machine's clock is set, or peers tell the time. So whoever arms the timer again finds out when the
 * time comes sooner than it did, and a single wait is bounded for when nobody does.
 *
 * @module
 */
import type { Cancel, Clock, Scheduler } from '@lattice/model'

export interface FutureTimer {
  /** Looks at what waits now; call whenever that may have changed. Costs nothing when it has not. */
  readonly arm: () => void
  readonly cancel: () => void
}

export interface FutureTimerDeps {
  readonly scheduler: Scheduler
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly nowMs: () => number
  /** When the first that waits is due; undefined when none waits. */
  readonly earliestMs: () => number | undefined
  readonly onDue: () => void
}

/** Longest single wait: a clock that is set while nothing happens is noticed so soon. */
const WAIT_MAX_MS = 60_000
/** Shortest: intentions due together are woken together. */
const WAIT_MIN_MS = 10
/** Sooner by less than this is the same: two clocks are compared, of different grain. */
const SLACK_MS = 50

export function createFutureTimer({ scheduler, clock, nowMs, earliestMs, onDue }: FutureTimerDeps): FutureTimer {
  let armed: { readonly cancel: Cancel; readonly firesAtMs: number } | undefined

  function disarm(): void {
    armed?.cancel()
    armed = undefined
  }

  return {
    arm: () => {
      const earliest = earliestMs()
      if (earliest === undefined) {
        disarm()
        return
      }
      const delayMs = Math.min(WAIT_MAX_MS, Math.max(WAIT_MIN_MS, earliest - nowMs()))
      const firesAtMs = clock.monotonicMs() + delayMs
      if (armed !== undefined && armed.firesAtMs <= firesAtMs + SLACK_MS) return
      disarm()
      const cancel = scheduler.after(delayMs, () => {
        armed = undefined
        onDue()
      })
      armed = { cancel, firesAtMs }
    },
    cancel: disarm,
  }
}
