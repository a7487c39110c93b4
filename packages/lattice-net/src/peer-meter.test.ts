import { type PublicKey, toPublicKey } from '@lattice/model'
import { createManualClock } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import {
  MAX_OWED_MS,
  PEER_ANNOUNCED_IDS,
  PEER_BYTES,
  PEER_JOINS,
  PEER_LOG_READS,
  PEER_RANGES,
  PEER_SESSIONS,
  RANGES_PER_MESSAGE_MAX,
} from './defence-limits.ts'
import { encodeFrame, type Frame, type FrameInit } from './frame.ts'
import { createFrameDecoder } from './frame-decoder.ts'
import { MAX_KNOWN_PEERS } from './limits.ts'
import { createPeerMeters, type MeteredKind } from './peer-meter.ts'

function peer(index: number): PublicKey {
  const bytes = new Uint8Array(32)
  new DataView(bytes.buffer).setUint32(0, index)
  return toPublicKey(bytes)
}

/** As it arrives. */
function received(init: FrameInit): Frame {
  const decoder = createFrameDecoder()
  decoder.push(encodeFrame(init))
  const frame = decoder.next()
  if (!frame.ok || frame.value === undefined) throw new Error('a good frame')
  return frame.value
}

const storeId = new Uint8Array(32)
const page = received({ case: 'witnessPageRequest', value: { storeId, fromSeq: 1n, limit: 0xffff_ffff } })
const joining = received({
  case: 'joinRequest',
  value: { storeId, secret: new Uint8Array(32), name: '', addresses: [] },
})

/** Of 6,000 ranges whose fingerprints are made up. */
const comparison = received({
  case: 'reconcile',
  value: {
    message: Uint8Array.from([0x61, ...Array.from({ length: 6_000 }, () => [2, 0, 1, ...new Uint8Array(16)]).flat()]),
  },
})
const ALL: readonly MeteredKind[] = [
  'bytes',
  'messages',
  'streams',
  'log_reads',
  'ranges',
  'sessions',
  'digests',
  'announced_ids',
  'joins',
]

describe('the meter of a peer', () => {
  test('a peer that reads the log waits once it has used what is there at once, and is refused for none of it', () => {
    const clock = createManualClock()
    const meter = createPeerMeters({ clock }).of(peer(1))
    const pages = PEER_LOG_READS.burst / 4096
    for (let index = 0; index < pages; index += 1)
      expect(meter.frame(page)).toEqual({ kinds: ['log_reads'], refused: undefined })
    expect(meter.owedMs(ALL)).toBe(0)
    meter.frame(page)
    const owedMs = meter.owedMs(ALL)
    expect(owedMs).toBe(Math.ceil((4096 * 1000) / PEER_LOG_READS.perSecond))
    clock.advance(owedMs)
    expect(meter.owedMs(ALL)).toBe(0)
  })

  test('a comparison costs by the fingerprints in it, at most by what one answer holds', () => {
    const meter = createPeerMeters({ clock: createManualClock() }).of(peer(1))
    const messages = PEER_RANGES.burst / RANGES_PER_MESSAGE_MAX
    for (let index = 0; index < Math.floor(messages); index += 1) meter.frame(comparison)
    expect(meter.owedMs(ALL)).toBe(0)
    meter.frame(comparison)
    expect(meter.owedMs(ALL)).toBeGreaterThan(0)
  })

  test('who asks on many streams at once for more than is waited for is refused, and owes no more for it', () => {
    const meter = createPeerMeters({ clock: createManualClock() }).of(peer(1))
    const refused: unknown[] = []
    for (let index = 0; index < 200; index += 1) {
      const charge = meter.frame(comparison)
      if (charge.refused !== undefined) refused.push(charge.refused)
    }
    expect(refused.length).toBeGreaterThan(100)
    expect(new Set(refused)).toEqual(new Set<unknown>(['ranges']))
    expect(meter.owedMs(ALL)).toBeLessThanOrEqual(MAX_OWED_MS + (RANGES_PER_MESSAGE_MAX * 1000) / PEER_RANGES.perSecond)
  })

  test('an invite too many is refused at once, whichever connection it comes over, until time has passed', () => {
    const clock = createManualClock()
    const meters = createPeerMeters({ clock })
    for (let index = 0; index < PEER_JOINS.burst; index += 1)
      expect(meters.of(peer(1)).frame(joining).refused).toBeUndefined()
    expect(meters.of(peer(1)).frame(joining)).toEqual({ kinds: ['joins'], refused: 'joins' })
    expect(meters.of(peer(2)).frame(joining).refused).toBeUndefined()
    expect(meters.of(peer(1)).owedMs(ALL)).toBe(0)
    clock.advance(1000 / PEER_JOINS.perSecond)
    expect(meters.of(peer(1)).frame(joining).refused).toBeUndefined()
  })

  test('a hello costs a session, and what it carries of a comparison as much as by itself', () => {
    const meter = createPeerMeters({ clock: createManualClock() }).of(peer(1))
    if (comparison.case !== 'reconcile') throw new Error('a comparison')
    const hello = { storeId, witnessCount: 4n, fingerprint: new Uint8Array(32) }
    const plain = received({ case: 'hello', value: hello })
    const laden = received({ case: 'hello', value: { ...hello, reconcile: comparison.value.message } })
    expect(meter.frame(plain)).toEqual({ kinds: ['sessions'], refused: undefined })
    for (let index = 0; index <= PEER_RANGES.burst / RANGES_PER_MESSAGE_MAX; index += 1) meter.frame(laden)
    expect(meter.owedMs(['ranges'])).toBeGreaterThan(0)
    expect(meter.owedMs(['sessions'])).toBe(0)
    for (let index = 0; index < PEER_SESSIONS.burst; index += 1) meter.frame(plain)
    expect(meter.owedMs(['sessions'])).toBeGreaterThan(0)
  })

  test('a heartbeat costs by the stores it tells of', () => {
    const meter = createPeerMeters({ clock: createManualClock() }).of(peer(1))
    const claim = { storeId, witnessCount: 7n, fingerprint: new Uint8Array(32), bulk: true }
    const beat = received({ case: 'heartbeat', value: { stores: Array.from({ length: 1024 }, () => claim) } })
    for (let told = 0; told < PEER_ANNOUNCED_IDS.burst; told += 1024) meter.frame(beat)
    expect(meter.owedMs(ALL)).toBe(0)
    meter.frame(beat)
    expect(meter.owedMs(ALL)).toBe((1024 * 1000) / PEER_ANNOUNCED_IDS.perSecond)
  })

  test('bytes at the pace of a gigabit link never wait', () => {
    const clock = createManualClock()
    const meter = createPeerMeters({ clock }).of(peer(1))
    for (let index = 0; index < 1_000; index += 1) {
      meter.bytes(1_250_000)
      clock.advance(10)
      expect(meter.owedMs(ALL)).toBe(0)
    }
    meter.bytes(PEER_BYTES.burst + 1_000_000)
    expect(meter.owedMs(ALL)).toBeGreaterThan(0)
  })

  test('remembers a bounded number of peers', () => {
    const meters = createPeerMeters({ clock: createManualClock() })
    const first = meters.of(peer(0))
    for (let index = 1; index < MAX_KNOWN_PEERS; index += 1) meters.of(peer(index))
    expect(meters.of(peer(0))).toBe(first)
    meters.of(peer(MAX_KNOWN_PEERS))
    meters.of(peer(MAX_KNOWN_PEERS + 1))
    expect(meters.of(peer(0))).toBe(first)
    const second = meters.of(peer(2))
    for (let index = 1; index <= MAX_KNOWN_PEERS; index += 1) meters.of(peer(10_000 + index))
    expect(meters.of(peer(2))).not.toBe(second)
  })
})
