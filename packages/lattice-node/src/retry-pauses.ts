/**
 * How long is waited before something that failed is tried again.
 *
 * @module
 */

/** After the first failure; doubles. */
export const RETRY_FIRST_MS = 1_000
/** At most: about as long as somebody who made room waits to see it used. What is known to help ends the pause anyway. */
export const RETRY_MAX_MS = 60_000

/** The pause after one of `pauseMs` that brought nothing. */
export function longerPauseMs(pauseMs: number): number {
  return Math.min(pauseMs * 2, RETRY_MAX_MS)
}
