/**
 * When something that failed for a reason that may pass is tried again: after a pause that grows, or as soon as something
 * happened that may help.
 *
 * It says when; whoever owns it tries, and tells what came of it.
 *
 * @module
 */
import type { AbortSignal, Scheduler } from '@lattice/model'
import { longerPauseMs, RETRY_FIRST_MS } from './retry-pauses.ts'

export interface Retry {
  /** It failed: it is due after the next pause. */
  readonly failed: () => void
  /** How often it failed since it last went well. */
  readonly failures: () => number
  /** Has it due at once, where it waits. */
  readonly nudge: () => void
  /** It went well, or is tried no more: nothing comes due, and the next pause is the first one again. */
  readonly over: () => void
}

export interface RetryOptions {
  readonly scheduler: Scheduler
  /** Ends it: nothing comes due any more. */
  readonly signal: AbortSignal
  /** It is to be tried now. */
  readonly onDue: () => void
}

/** Starts with nothing due. Holds one timer at most. */
export function createRetry({ scheduler, signal, onDue }: RetryOptions): Retry {
  let cancel: (() => void) | undefined
  let failures = 0
  let pauseMs = RETRY_FIRST_MS

  function stop(): void {
    cancel?.()
    cancel = undefined
  }

  function become(): void {
    stop()
    onDue()
  }

  signal.addEventListener('abort', stop, { once: true })
  return {
    failed: () => {
      stop()
      if (signal.aborted) return
      failures += 1
      cancel = scheduler.after(pauseMs, become)
      pauseMs = longerPauseMs(pauseMs)
    },
    failures: () => failures,
    nudge: () => {
      if (cancel !== undefined) become()
    },
    over: () => {
      stop()
      failures = 0
      pauseMs = RETRY_FIRST_MS
    },
  }
}
