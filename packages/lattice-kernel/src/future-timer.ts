/**
 * Wakes what floats because of its time, when that time comes.
 *
 * @module
 */
import type { Cancel, Scheduler } from '@lattice/model'
import type { FloatingEntry } from './floating-entry.ts'

export interface FutureTimer {
  /** Looks at what waits now; call whenever that may have changed. */
  readonly arm: () => void
  readonly cancel: () => void
}

export interface FutureTimerDeps {
  readonly scheduler: Scheduler
  readonly nowMs: () => number
  readonly waiting: () => Iterable<FloatingEntry>
  readonly onDue: () => void
}

/** Longest single wait: the wall clock may be set meanwhile, and timers of platforms are 31 bits long. */
const WAIT_MAX_MS = 3_600_000
/** Shortest: intentions due together are woken together. */
const WAIT_MIN_MS = 10

export function createFutureTimer({ scheduler, nowMs, waiting, onDue }: FutureTimerDeps): FutureTimer {
  let cancel: Cancel | undefined
  let armedFor = Infinity

  function disarm(): void {
    cancel?.()
    cancel = undefined
    armedFor = Infinity
  }

  return {
    arm: () => {
      let earliest = Infinity
      for (const { wait } of waiting()) {
        if (wait?.kind === 'future' && wait.untilMs < earliest) earliest = wait.untilMs
      }
      if (earliest === armedFor) return
      disarm()
      if (earliest === Infinity) return
      armedFor = earliest
      const delayMs = Math.min(WAIT_MAX_MS, Math.max(WAIT_MIN_MS, earliest - nowMs()))
      cancel = scheduler.after(delayMs, () => {
        disarm()
        onDue()
      })
    },
    cancel: disarm,
  }
}
