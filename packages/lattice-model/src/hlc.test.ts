import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { timestamps } from '../test/support.ts'
import { compareHlc, createHlc, formatHlc, type Hlc, HLC_ZERO, isHlc } from './hlc.ts'
import { MAX_DRIFT_MS, MAX_HLC_COUNTER, MAX_WALL_MS } from './limits.ts'
import { createManualClock } from './testing.ts'

const NOW = 1_795_000_000_000

type Event =
  | { readonly kind: 'tick' }
  | { readonly kind: 'observe'; readonly remote: Hlc }
  | { readonly kind: 'clock'; readonly wallMs: number }
  | { readonly kind: 'restart' }

const nearNow = fc.record({ wall: fc.integer({ min: NOW - 100_000, max: NOW + 200_000 }), counter: fc.nat({ max: 5 }) })
const events: fc.Arbitrary<Event[]> = fc.array(
  fc.oneof(
    fc.constant<Event>({ kind: 'tick' }),
    fc.oneof(nearNow, timestamps).map((remote): Event => ({ kind: 'observe', remote })),
    fc.integer({ min: NOW - 200_000, max: NOW + 200_000 }).map((wallMs): Event => ({ kind: 'clock', wallMs })),
    fc.constant<Event>({ kind: 'restart' }),
  ),
)

describe('HybridClock', () => {
  test('every tick is later than all ticks and observations before it that are within the drift', () => {
    fc.assert(
      fc.property(events, (history) => {
        const clock = createManualClock({ wallMs: NOW })
        let hlc = createHlc({ clock })
        let floor = HLC_ZERO
        let ceiling = clock.wallMs()
        for (const event of history) {
          if (event.kind === 'clock') clock.setWallMs(event.wallMs)
          ceiling = Math.max(ceiling, clock.wallMs())
          // What is persisted is all that a restart keeps.
          if (event.kind === 'restart') hlc = createHlc({ clock, last: { ...hlc.last() } })
          if (event.kind === 'observe') {
            hlc.observe(event.remote)
            if (event.remote.wall <= clock.wallMs() + MAX_DRIFT_MS && compareHlc(event.remote, floor) > 0) {
              floor = event.remote
            }
          }
          if (event.kind === 'tick') {
            const ticked = hlc.tick()
            expect(compareHlc(ticked, floor)).toBeGreaterThan(0)
            expect(hlc.last()).toEqual(ticked)
            floor = ticked
          }
          // One counter overflow may add a millisecond to what the best clock reading allows.
          expect(hlc.last().wall).toBeLessThanOrEqual(ceiling + MAX_DRIFT_MS + history.length)
        }
      }),
    )
  })

  test('takes the wall clock when it is ahead, and counts when it is not', () => {
    const clock = createManualClock({ wallMs: 100 })
    const hlc = createHlc({ clock })
    expect(hlc.tick()).toEqual({ wall: 100, counter: 0 })
    expect(hlc.tick()).toEqual({ wall: 100, counter: 1 })
    clock.setWallMs(50)
    expect(hlc.tick()).toEqual({ wall: 100, counter: 2 })
    clock.setWallMs(101)
    expect(hlc.tick()).toEqual({ wall: 101, counter: 0 })
  })

  test('a timestamp beyond the drift moves the clock to the cap and no further', () => {
    const clock = createManualClock({ wallMs: 1_000 })
    const hlc = createHlc({ clock })
    hlc.observe({ wall: 1_000 + MAX_DRIFT_MS + 1, counter: 9 })
    expect(hlc.last()).toEqual({ wall: 1_000 + MAX_DRIFT_MS, counter: 0 })
    hlc.observe({ wall: 1_000 + MAX_DRIFT_MS, counter: 9 })
    expect(hlc.tick()).toEqual({ wall: 1_000 + MAX_DRIFT_MS, counter: 10 })
  })

  test('an overflowing counter advances the wall by a millisecond', () => {
    const clock = createManualClock({ wallMs: 5 })
    const hlc = createHlc({ clock, last: { wall: 9, counter: MAX_HLC_COUNTER } })
    expect(hlc.tick()).toEqual({ wall: 10, counter: 0 })
  })

  test('a clock that answers nonsense is brought into range', () => {
    for (const wallMs of [Number.NaN, -1, -Infinity]) {
      expect(createHlc({ clock: createManualClock({ wallMs }) }).tick()).toEqual({ wall: 0, counter: 1 })
    }
    expect(createHlc({ clock: createManualClock({ wallMs: Infinity }) }).tick()).toEqual({
      wall: MAX_WALL_MS,
      counter: 0,
    })
    expect(createHlc({ clock: createManualClock({ wallMs: 7.9 }) }).tick()).toEqual({ wall: 7, counter: 0 })
  })

  test('a persisted or observed value out of range is a bug', () => {
    const clock = createManualClock()
    for (const bad of [
      { wall: -1, counter: 0 },
      { wall: MAX_WALL_MS + 1, counter: 0 },
      { wall: 1.5, counter: 0 },
      { wall: 0, counter: MAX_HLC_COUNTER + 1 },
    ]) {
      expect(isHlc(bad)).toBe(false)
      expect(() => createHlc({ clock, last: bad })).toThrow('within range')
      expect(() => createHlc({ clock }).observe(bad)).toThrow('within range')
    }
  })
})

test('timestamps order by wall, then counter, and print as both', () => {
  fc.assert(
    fc.property(timestamps, timestamps, (a, b) => {
      const expected = a.wall === b.wall ? Math.sign(a.counter - b.counter) : Math.sign(a.wall - b.wall)
      expect(Math.sign(compareHlc(a, b))).toBe(expected)
    }),
  )
  expect(formatHlc({ wall: 12, counter: 3 })).toBe('12.3')
})
