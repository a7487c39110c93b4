import { toPublicKey, type PublicKey } from '@lattice/model'
import { createManualClock, createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'
import { MUTE_SCORE, SCORE_HALF_LIFE_MS, SHUT_OUT_FORGOTTEN_MS } from './defence-limits.ts'
import { DEFAULT_LIMITS, MAX_INVALID_PER_CONNECTION, MAX_KNOWN_PEERS } from './limits.ts'
import { createPeerLedger, type Misdeed, MISDEED_POINTS } from './peer-ledger.ts'

function peer(index: number): PublicKey {
  const bytes = new Uint8Array(32)
  bytes[0] = index & 0xff
  bytes[1] = index >> 8
  return toPublicKey(bytes)
}

function create() {
  const clock = createManualClock()
  return { clock, ledger: createPeerLedger({ clock, limits: DEFAULT_LIMITS }) }
}

describe('the ledger of peers', () => {
  test('a violation shuts out for a time that doubles up to its bound', () => {
    const { clock, ledger } = create()
    expect(ledger.standing(peer(1))).toBe('good')
    const times = Array.from({ length: 12 }, () => {
      expect(ledger.score(peer(1), 'violation')).toBe('shut_out')
      const forMs = ledger.mutedForMs(peer(1))
      clock.advance(forMs - 1)
      expect(ledger.standing(peer(1))).toBe('shut_out')
      clock.advance(1)
      expect(ledger.standing(peer(1))).toBe('good')
      return forMs
    })
    expect(times.slice(0, 3)).toEqual([10_000, 20_000, 40_000])
    expect(times.at(-1)).toBe(DEFAULT_LIMITS.muteMaxMs)
  })

  test('an honest peer that erred once is as good as new: one time out is forgotten with each hour', () => {
    const { clock, ledger } = create()
    for (let index = 0; index < 3; index += 1) {
      ledger.score(peer(1), 'violation')
      clock.advance(ledger.mutedForMs(peer(1)))
    }
    clock.advance(2 * SHUT_OUT_FORGOTTEN_MS)
    ledger.score(peer(1), 'violation')
    expect(ledger.mutedForMs(peer(1))).toBe(20_000)
    clock.advance(20_000 + 2 * SHUT_OUT_FORGOTTEN_MS)
    ledger.score(peer(1), 'violation')
    expect(ledger.mutedForMs(peer(1))).toBe(10_000)
  })

  test('invalid items add up over connections: first it is muted, then shut out', () => {
    const { ledger } = create()
    expect(ledger.score(peer(1), 'invalid_item', MAX_INVALID_PER_CONNECTION / 4)).toBe('good')
    expect(ledger.score(peer(1), 'invalid_item', MAX_INVALID_PER_CONNECTION / 2)).toBe('muted')
    expect(ledger.score(peer(1), 'invalid_item', MAX_INVALID_PER_CONNECTION / 4)).toBe('muted')
    expect(ledger.mutedForMs(peer(1))).toBe(0)
    expect(ledger.score(peer(1), 'invalid_item')).toBe('shut_out')
    expect(ledger.standing(peer(2))).toBe('good')
  })

  // Model: every misdeed on its own, each decayed since it was done.
  test('the score is the sum of what was done, each halved with every half-life', () => {
    const misdeeds = fc.constantFrom<Misdeed>('invalid_item', 'asked_while_muted')
    const steps = fc.array(fc.tuple(misdeeds, fc.nat({ max: 2 * SCORE_HALF_LIFE_MS })), { maxLength: 40 })
    fc.assert(
      fc.property(steps, (done) => {
        const { clock, ledger } = create()
        const model: { readonly points: number; readonly atMs: number }[] = []
        for (const [misdeed, afterMs] of done) {
          ledger.score(peer(1), misdeed)
          model.push({ points: MISDEED_POINTS[misdeed], atMs: clock.monotonicMs() })
          clock.advance(afterMs)
          const sum = model.reduce(
            (total, { points, atMs }) => total + points / 2 ** ((clock.monotonicMs() - atMs) / SCORE_HALF_LIFE_MS),
            0,
          )
          expect(Math.abs(ledger.scoreOf(peer(1)) - sum)).toBeLessThanOrEqual(0.5 + 1e-6)
          expect(ledger.standing(peer(1))).toBe(sum >= MUTE_SCORE - 1e-6 ? 'muted' : 'good')
        }
      }),
    )
  })

  test('a muted peer is heard again once enough is forgiven', () => {
    const { clock, ledger } = create()
    for (let index = 0; index < 9; index += 1) ledger.score(peer(1), 'overuse')
    expect(ledger.standing(peer(1))).toBe('muted')
    clock.advance(SCORE_HALF_LIFE_MS)
    expect(ledger.standing(peer(1))).toBe('good')
  })

  test('remembers a bounded number of peers: the one touched longest ago is forgotten', () => {
    const { ledger } = create()
    for (let index = 0; index <= MAX_KNOWN_PEERS; index += 1) ledger.score(peer(index), 'violation')
    expect(ledger.mutedForMs(peer(0))).toBe(0)
    expect(ledger.mutedForMs(peer(1))).toBeGreaterThan(0)
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
