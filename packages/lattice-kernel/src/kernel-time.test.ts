import { EARLIEST_CLOCK_MS, MAX_DRIFT_MS } from '@lattice/model'
import { createManualClock } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createKernelTime, type KernelTime } from './kernel-time.ts'
import type { PeerTime } from './kernel-options.ts'

const NOW = 1_795_000_000_000
const YEAR_MS = 365 * 86_400_000

interface World {
  readonly own: number
  readonly highest: number
  readonly peers?: PeerTime
}

function timeIn({ own, highest, peers }: World): KernelTime {
  return createKernelTime({
    clock: createManualClock({ wallMs: own }),
    last: { wall: highest, counter: 0 },
    highestWall: () => highest,
    peerTime: () => peers,
  })
}

const walls = fc.oneof(
  fc.integer({ min: NOW - 3 * MAX_DRIFT_MS, max: NOW + 3 * MAX_DRIFT_MS }),
  fc.constantFrom(0, 1000, NOW - YEAR_MS, NOW + YEAR_MS),
)

describe('what a kernel takes for now', () => {
  test('is its own clock, alone or with one peer that says something else', () => {
    for (const medianMs of [0, NOW - YEAR_MS, NOW + MAX_DRIFT_MS, NOW + YEAR_MS]) {
      expect(timeIn({ own: NOW, highest: NOW + MAX_DRIFT_MS, peers: { medianMs, count: 1 } }).nowMs()).toBe(NOW)
    }
    expect(timeIn({ own: NOW, highest: 0 }).nowMs()).toBe(NOW)
  })

  test('is what two peers agree on, when that is later', () => {
    expect(timeIn({ own: NOW, highest: 0, peers: { medianMs: NOW + 9000, count: 2 } }).nowMs()).toBe(NOW + 9000)
    expect(timeIn({ own: NOW, highest: 0, peers: { medianMs: NOW - 9000, count: 2 } }).nowMs()).toBe(NOW)
  })

  test('is what one peer says, on a board that boots in 1970 or behind what it has witnessed', () => {
    const peers: PeerTime = { medianMs: NOW, count: 1 }
    expect(timeIn({ own: 1000, highest: 0, peers }).nowMs()).toBe(NOW)
    expect(timeIn({ own: EARLIEST_CLOCK_MS - 1, highest: 0, peers }).isBehind()).toBe(true)
    expect(timeIn({ own: EARLIEST_CLOCK_MS, highest: 0, peers }).isBehind()).toBe(false)
    const highest = NOW - YEAR_MS
    expect(timeIn({ own: highest - MAX_DRIFT_MS - 1, highest, peers }).nowMs()).toBe(NOW)
    expect(timeIn({ own: highest - MAX_DRIFT_MS, highest, peers }).nowMs()).toBe(highest - MAX_DRIFT_MS)
  })

  test('is never before the own clock, and lets in again whatever was let in', () => {
    fc.assert(
      fc.property(walls, walls, fc.option(walls), fc.integer({ min: 1, max: 3 }), (own, highest, medianMs, count) => {
        const world = { own, highest, ...(medianMs === null ? {} : { peers: { medianMs, count } }) }
        const now = timeIn(world).nowMs()
        expect(now).toBeGreaterThanOrEqual(own)
        expect(now + MAX_DRIFT_MS).toBeGreaterThanOrEqual(highest)
        expect(timeIn(world).tick().wall).toBeGreaterThanOrEqual(highest)
      }),
    )
  })

  // A hostile author, alone or with a hostile peer, asks for as much as is let in, again and again.
  test('is not pulled ahead step by step: a clock that is right lets in nothing beyond the drift, whatever came before', () => {
    const steps = fc.array(fc.record({ elapsedMs: fc.nat({ max: 5000 }), says: walls }), { maxLength: 40 })
    fc.assert(
      fc.property(steps, (history) => {
        const clock = createManualClock({ wallMs: NOW })
        let highest = NOW
        let peers: PeerTime | undefined
        const last = { wall: NOW, counter: 0 }
        const time = createKernelTime({ clock, last, highestWall: () => highest, peerTime: () => peers })
        for (const { elapsedMs, says } of history) {
          clock.advance(elapsedMs)
          peers = { medianMs: says, count: 1 }
          highest = Math.max(highest, time.nowMs() + MAX_DRIFT_MS)
          expect(highest).toBeLessThanOrEqual(clock.wallMs() + MAX_DRIFT_MS)
          expect(time.isBehind()).toBe(false)
        }
      }),
    )
  })

  test('is not pulled ahead step by step on a wrong clock either, where no peer says the time', () => {
    let highest = NOW
    const clock = createManualClock({ wallMs: 0 })
    const time = createKernelTime({
      clock,
      last: { wall: NOW, counter: 0 },
      highestWall: () => highest,
      peerTime: undefined,
    })
    for (let step = 0; step < 100; step += 1) highest = Math.max(highest, time.nowMs() + MAX_DRIFT_MS)
    expect(highest).toBe(NOW)
  })
})
