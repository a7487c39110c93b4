import { createManualScheduler } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CLOCK_JUMP_MS } from './limits.ts'
import { type Beat, judgeBeat, startPulse } from './pulse.ts'

const EVERY_MS = 5_000
const HOUR_MS = 3_600_000
const YEARS_MS = 5 * 365 * 24 * HOUR_MS

describe('a beat', () => {
  const judge = (monotonic: number, wall: number): Beat =>
    judgeBeat(
      { wallMs: 1_000_000, monotonicMs: 100 },
      { wallMs: 1_000_000 + wall, monotonicMs: 100 + monotonic },
      EVERY_MS,
    )

  test.each<[string, number, number, Partial<Beat>]>([
    ['in time', EVERY_MS, EVERY_MS, { isJump: false, lateMs: 0, shiftMs: 0 }],
    ['a busy process', EVERY_MS + 3_000, EVERY_MS + 3_000, { isJump: false }],
    ['a clock that is corrected', EVERY_MS, EVERY_MS - 900, { isJump: false }],
    ['asleep, the monotonic clock stopped', EVERY_MS, EVERY_MS + 8 * HOUR_MS, { isJump: true, shiftMs: 8 * HOUR_MS }],
    ['asleep, both went on', 8 * HOUR_MS, 8 * HOUR_MS, { isJump: true, shiftMs: 0 }],
    ['set by five years', EVERY_MS, EVERY_MS + YEARS_MS, { isJump: true }],
    ['set back by five years', EVERY_MS, EVERY_MS - YEARS_MS, { isJump: true, shiftMs: -YEARS_MS }],
    ['set back by a day', EVERY_MS, EVERY_MS - 24 * HOUR_MS, { isJump: true }],
  ])('%s', (_, monotonic, wall, beat) => {
    expect(judge(monotonic, wall)).toMatchObject(beat)
  })

  test('is a jump exactly when one of the clocks left the other, or the plan, by more than the bound', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: -60_000, max: 60_000 }), (lateMs, shiftMs) => {
        const passed = EVERY_MS + lateMs
        const { isJump } = judge(passed, passed + shiftMs)
        expect(isJump).toBe(lateMs > CLOCK_JUMP_MS || Math.abs(shiftMs) > CLOCK_JUMP_MS)
      }),
    )
  })
})

describe('the pulse', () => {
  test('tells of a jump once, at the next tick, and ends when it is cancelled', () => {
    const scheduler = createManualScheduler()
    const { clock } = scheduler
    const jumps: boolean[] = []
    const cancel = startPulse({ clock, scheduler, everyMs: EVERY_MS, onBeat: ({ isJump }) => jumps.push(isJump) })
    scheduler.advance(2 * EVERY_MS)
    clock.setWallMs(clock.wallMs() + 8 * HOUR_MS)
    scheduler.advance(3 * EVERY_MS)
    expect(jumps).toEqual([false, false, true, false, false])
    cancel()
    expect(scheduler.pending()).toBe(0)
  })
})
