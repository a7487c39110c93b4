import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createTokenBucket } from './token-bucket.ts'

const steps = fc.array(fc.record({ afterMs: fc.nat({ max: 5_000 }), tokens: fc.nat({ max: 300 }) }), { maxLength: 60 })
const rates = fc.record({ burst: fc.integer({ min: 1, max: 200 }), perSecond: fc.integer({ min: 1, max: 500 }) })

describe('a token bucket', () => {
  // Model: the level, walked millisecond by millisecond in thousandths of a token, so that nothing is rounded.
  test('holds what a walk through every millisecond says, and owes as long as that takes to come back', () => {
    fc.assert(
      fc.property(rates, steps, (rate, taken) => {
        const bucket = createTokenBucket(rate, 0)
        let nowMs = 0
        let level = rate.burst * 1000
        const pass = (): void => {
          nowMs += 1
          level = Math.min(rate.burst * 1000, level + rate.perSecond)
        }
        for (const { afterMs, tokens } of taken) {
          for (let index = 0; index < afterMs; index += 1) pass()
          bucket.take(tokens, nowMs)
          level -= tokens * 1000
          expect(bucket.left(nowMs)).toBeCloseTo(level / 1000, 6)
          expect(bucket.owedMs(nowMs)).toBe(level >= 0 ? 0 : Math.ceil(-level / rate.perSecond))
        }
      }),
    )
  })

  test('whoever waits as long as is owed never has more than the burst and what came back', () => {
    fc.assert(
      fc.property(rates, fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 50 }), (rate, taken) => {
        const bucket = createTokenBucket(rate, 0)
        let nowMs = 0
        let before = 0
        for (const tokens of taken) {
          nowMs += bucket.owedMs(nowMs)
          expect(before).toBeLessThanOrEqual(rate.burst + (nowMs * rate.perSecond) / 1000 + 1e-6)
          bucket.take(tokens, nowMs)
          before += tokens
        }
      }),
    )
  })

  test('a clock that goes back brings nothing and takes nothing', () => {
    const bucket = createTokenBucket({ burst: 10, perSecond: 1 }, 5_000)
    bucket.take(10, 5_000)
    expect(bucket.left(0)).toBe(0)
    expect(bucket.left(6_000)).toBe(1)
  })
})
