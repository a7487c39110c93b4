/**
 * A token bucket: what somebody may use at once, and what comes back each second.
 *
 * What was used can be more than is there. The rest is a debt that time pays, so the cost of a thing need not be known
 * before it is taken in, and nothing is too large to be let through once: it only makes the next wait longer.
 *
 * Pure: time comes in as a reading of a monotonic clock, and one that goes back counts as none gone by.
 *
 * @module
 */
import { assert } from '@lattice/model'

export interface BucketRate {
  /** Tokens it holds when full. */
  readonly burst: number
  readonly perSecond: number
}

export interface TokenBucket {
  /** Takes tokens, those that are not there as a debt. */
  readonly take: (tokens: number, nowMs: number) => void
  /** Milliseconds until nothing is owed; 0 when nothing is. Whole, so that a timer of as long is enough. */
  readonly owedMs: (nowMs: number) => number
  /** Tokens that are there; less than 0 is a debt. */
  readonly left: (nowMs: number) => number
}

/** Starts full. */
export function createTokenBucket({ burst, perSecond }: BucketRate, startMs: number): TokenBucket {
  assert(burst > 0 && perSecond > 0, 'a bucket holds something and fills')
  // In thousandths, so that nothing is rounded where the numbers are whole.
  let level = burst * 1000
  let atMs = startMs
  function refill(nowMs: number): void {
    if (nowMs <= atMs) return
    level = Math.min(burst * 1000, level + (nowMs - atMs) * perSecond)
    atMs = nowMs
  }
  return {
    take: (count, nowMs) => {
      assert(count >= 0, 'tokens are taken, not given')
      refill(nowMs)
      level -= count * 1000
    },
    owedMs: (nowMs) => {
      refill(nowMs)
      return level >= 0 ? 0 : Math.ceil(-level / perSecond)
    },
    left: (nowMs) => {
      refill(nowMs)
      return level / 1000
    },
  }
}
