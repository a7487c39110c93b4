/**
 * How often a dial may be hurried, so that forged hints cost a bounded number of dials that fail.
 *
 * @module
 */

/** Hurried dials in a row: a peer that restarts on its way to a lasting connection needs two or three. */
export const HURRIED_DIALS = 3

/** One more after each: what a flood of hints costs is six dials a minute for each peer that is wanted and away. */
export const HURRIED_DIAL_EVERY_MS = 10_000

export interface DialBudget {
  /** Whether one more is allowed now; it counts as made. */
  readonly take: () => boolean
}

/** Starts full. */
export function createDialBudget(nowMs: () => number): DialBudget {
  let left = HURRIED_DIALS
  let filledAtMs = nowMs()
  return {
    take: () => {
      const refills = Math.floor((nowMs() - filledAtMs) / HURRIED_DIAL_EVERY_MS)
      filledAtMs += refills * HURRIED_DIAL_EVERY_MS
      left = Math.min(HURRIED_DIALS, left + refills)
      if (left === 0) return false
      left -= 1
      return true
    },
  }
}
