import { toPublicKey, idKey, type PublicKey } from '@lattice/model'
import { createManualClock, createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'
import { DEFAULT_LIMITS, MAX_INVALID_PER_CONNECTION, MAX_KNOWN_PEERS } from './limits.ts'
import { createPeerClocks } from './peer-clocks.ts'
import { createPeerLedger } from './peer-ledger.ts'

function peer(index: number): PublicKey {
  const bytes = new Uint8Array(32)
  bytes[0] = index & 0xff
  bytes[1] = index >> 8
  return toPublicKey(bytes)
}

describe('the ledger of peers', () => {
  test('a strike shuts out for a time that doubles up to its bound', () => {
    const clock = createManualClock()
    const ledger = createPeerLedger({ clock, limits: DEFAULT_LIMITS })
    expect(ledger.mutedForMs(peer(1))).toBe(0)
    const times = Array.from({ length: 12 }, () => ledger.strike(peer(1)))
    expect(times.slice(0, 3)).toEqual([10_000, 20_000, 40_000])
    expect(times.at(-1)).toBe(DEFAULT_LIMITS.muteMaxMs)
    clock.advance(DEFAULT_LIMITS.muteMaxMs - 1)
    expect(ledger.mutedForMs(peer(1))).toBe(1)
    clock.advance(1)
    expect(ledger.mutedForMs(peer(1))).toBe(0)
    ledger.behaved(peer(1))
    expect(ledger.strike(peer(1))).toBe(10_000)
  })

  test('invalid items are counted over sessions and come to a strike', () => {
    const ledger = createPeerLedger({ clock: createManualClock(), limits: DEFAULT_LIMITS })
    expect(ledger.invalid(peer(1), MAX_INVALID_PER_CONNECTION)).toBe(false)
    expect(ledger.mutedForMs(peer(1))).toBe(0)
    expect(ledger.invalid(peer(1), 1)).toBe(true)
    expect(ledger.mutedForMs(peer(1))).toBeGreaterThan(0)
  })

  test('remembers a bounded number of peers: the one touched longest ago is forgotten', () => {
    const ledger = createPeerLedger({ clock: createManualClock(), limits: DEFAULT_LIMITS })
    for (let index = 0; index <= MAX_KNOWN_PEERS; index += 1) ledger.strike(peer(index))
    expect(ledger.mutedForMs(peer(0))).toBe(0)
    expect(ledger.mutedForMs(peer(1))).toBeGreaterThan(0)
  })
})

describe('the clocks of peers', () => {
  const NOW = 1_795_000_000_000

  test('a clock ahead of the median by more than half the drift is told once, and once more when it is back', () => {
    const clock = createManualClock({ wallMs: NOW + 1_000_000 })
    const told: boolean[] = []
    const clocks = createPeerClocks({ clock, onSkew: ({ skewed }) => told.push(skewed) })
    expect(clocks.medianMs()).toBeUndefined()
    clocks.observe(idKey(peer(1)), NOW + 1_000_000)
    clocks.observe(idKey(peer(2)), NOW + 960_000)
    clocks.observe(idKey(peer(3)), NOW + 960_000)
    expect(told).toEqual([true])
    clock.setWallMs(NOW + 960_000)
    clocks.observe(idKey(peer(1)), NOW + 960_000)
    expect(told).toEqual([true, false])
  })

  test('one liar does not move the median of three', () => {
    const clock = createManualClock({ wallMs: NOW + 5_000 })
    const clocks = createPeerClocks({ clock, onSkew: () => undefined })
    for (const [index, wall] of [NOW + 5_000, NOW + 5_010, 2 ** 47].entries()) clocks.observe(idKey(peer(index)), wall)
    clock.advance(100)
    expect(clocks.medianMs()).toBe(NOW + 5_110)
    clocks.forget(idKey(peer(2)))
    // Between the two that are left, the clock here decides: it is behind both.
    expect(clocks.medianMs()).toBe(NOW + 5_100)
  })
})

describe('back-off', () => {
  test('lies between half of the full pause and all of it, and never beyond the bound', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2_000 }), fc.string(), (attempt, seed) => {
        const pause = backoffMs(attempt, { firstMs: 500, maxMs: 60_000, random: createSeededRandom(seed) })
        const full = Math.min(60_000, 500 * 2 ** Math.min(attempt, 40))
        expect(pause).toBeGreaterThanOrEqual(full / 2)
        expect(pause).toBeLessThanOrEqual(full)
      }),
    )
  })
})
