/**
 * After something failed that the disk, or the machine, may have been the cause of: when it is tried again.
 *
 * @module
 */
import type { Cancel, Scheduler } from '@lattice/model'

/** About as long as a person takes to make room. */
export const RETRY_MS = 5000

export interface RetryPause {
  readonly isOn: () => boolean
  /** Begins it, anew where it has begun. */
  readonly begin: () => void
  /** Ends it before its time, and tells nobody. */
  readonly end: () => void
}

export function createRetryPause(scheduler: Scheduler, onOver: () => void): RetryPause {
  let cancel: Cancel | undefined
  function end(): void {
    cancel?.()
    cancel = undefined
  }
  return {
    isOn: () => cancel !== undefined,
    begin: () => {
      end()
      cancel = scheduler.after(RETRY_MS, () => {
        cancel = undefined
        onOver()
      })
    },
    end,
  }
}
