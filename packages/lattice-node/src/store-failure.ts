/**
 * That a store failed, and whether trying again may help. It is shown as failed until the next attempt begins, which is
 * like the first.
 *
 * @module
 */
import type { AbortSignal, Scheduler } from '@lattice/model'
import { isPassing } from './failure.ts'
import { createRetry } from './retry.ts'
import type { StoreEntry } from './store-entry.ts'

export interface FailureDeps {
  readonly scheduler: Scheduler
  readonly signal: AbortSignal
  /** Has the stores looked at: an attempt is due. */
  readonly wake: () => void
}

/** From now on the store is shown as failed; where the reason may pass it is tried again after a pause. */
export function noteFailure(entry: StoreEntry, error: unknown, { scheduler, signal, wake }: FailureDeps): void {
  entry.failure = error
  if (!isPassing(error)) {
    entry.retry?.over()
    return
  }
  entry.retry ??= createRetry({
    scheduler,
    signal,
    onDue: () => {
      entry.failure = undefined
      wake()
    },
  })
  entry.retry.failed()
}

/** What went wrong counts no more. */
export function clearFailure(entry: StoreEntry): void {
  entry.failure = undefined
  entry.retry?.over()
}

/** An attempt came to its end. True where that ends a row of failures. */
export function isMended({ failure, retry }: StoreEntry): boolean {
  if (failure !== undefined || retry === undefined || retry.failures() === 0) return false
  retry.over()
  return true
}
