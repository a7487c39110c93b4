/**
 * How often a dial may be hurried, so that forged hints cost a bounded number of dials that fail.
 *
 * @module
 */

import { HURRIED_DIAL_EVERY_MS, HURRIED_DIALS } from './limits.ts'

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
