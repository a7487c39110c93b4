/**
 * How long is waited before something that failed is tried again.
 *
 * @module
 */

/** Pause after a first failure, before it is tried again; doubles. */
export const RETRY_FIRST_MS = 1_000
/** Longest pause: somebody who made room sees it used soon, and what is known to help ends the pause anyway. */
export const RETRY_MAX_MS = 60_000

/** The pause after one of `pauseMs` that brought nothing. */
export function longerPauseMs(pauseMs: number): number {
  return Math.min(pauseMs * 2, RETRY_MAX_MS)
}
