import { idKey, type PublicKey, type StoreId, toPublicKey, toStoreId } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS, HEARTBEAT_STORES_MAX } from '../limits.ts'
import type { ClaimedDigest } from '../session-call.ts'
import { createHeartbeats, type Heartbeats } from './heartbeats.ts'

const anna = toPublicKey(new Uint8Array(32).fill(1))
const bert = toPublicKey(new Uint8Array(32).fill(2))
const storeOf = (number: number): StoreId =>
  toStoreId(new Uint8Array(32).fill(number & 255, 0, 1).fill(number >> 8, 1, 2))
const [first, second] = [storeOf(1), storeOf(2)]
const { heartbeatMs, heartbeatDelayMs, gapDelayMs } = DEFAULT_LIMITS

interface World {
  readonly beats: Heartbeats
  readonly counts: Map<string, number>
  readonly advance: (ms: number) => void
  readonly pending: () => number
  /** What the peer was told since this was asked last: per heartbeat, of how many stores, and which of them at once. */
  readonly told: (peer: PublicKey) => readonly { readonly stores: number; readonly bulk: number }[]
}

function create(shared: readonly StoreId[] = [first, second]): World {
  const scheduler = createManualScheduler()
  const counts = new Map<string, number>()
  const sent: { peer: PublicKey; stores: number; bulk: number }[] = []
  const digest = (_: PublicKey, storeId: StoreId): ClaimedDigest => {
    const witnessCount = counts.get(idKey(storeId)) ?? 1
    return { witnessCount, fingerprint: new Uint8Array(32).fill(witnessCount) }
  }
  const beats = createHeartbeats({
    scheduler,
    limits: DEFAULT_LIMITS,
    digest,
    shared: () => shared,
    send: (peer, frame) => {
      if (frame.case !== 'heartbeat') return
      const stores = frame.value.stores ?? []
      sent.push({ peer, stores: stores.length, bulk: stores.filter(({ bulk }) => bulk === true).length })
    },
  })
  const told = (peer: PublicKey): { stores: number; bulk: number }[] => {
    const mine = sent.filter((beat) => beat.peer === peer)
    sent.splice(0, sent.length, ...sent.filter((beat) => beat.peer !== peer))
    return mine.map(({ stores, bulk }) => ({ stores, bulk }))
  }
  return { beats, counts, advance: scheduler.advance, pending: scheduler.pending, told }
}

describe('heartbeats', () => {
  test('are sent at each interval, of nothing where nothing changed', () => {
    const { beats, advance, told } = create()
    beats.begin(anna, false)
    advance(3 * heartbeatMs)
    expect(told(anna)).toEqual([0, 0, 0].map(() => ({ stores: 0, bulk: 0 })))
  })

  test('tell soon of what changed, once for all changes, and each neighbour once', () => {
    const { beats, counts, advance, told } = create()
    beats.begin(anna, false)
    beats.begin(bert, false)
    counts.set(idKey(first), 2)
    beats.changed(first)
    advance(heartbeatDelayMs / 2)
    counts.set(idKey(first), 3)
    beats.changed(first)
    beats.changed(second)
    beats.told(bert, first, { witnessCount: 3, fingerprint: new Uint8Array(32).fill(3) })
    advance(heartbeatDelayMs / 2)
    expect(told(anna)).toEqual([{ stores: 2, bulk: 0 }])
    expect(told(bert)).toEqual([{ stores: 1, bulk: 0 }])
    advance(heartbeatDelayMs)
    expect(told(anna)).toEqual([])
  })

  test('say nothing early of what was told in another way', () => {
    const { beats, advance, told } = create()
    beats.begin(anna, false)
    beats.changed(first)
    beats.told(anna, first, { witnessCount: 1, fingerprint: new Uint8Array(32).fill(1) })
    advance(heartbeatMs - 1)
    expect(told(anna)).toEqual([])
    advance(1)
    expect(told(anna)).toEqual([{ stores: 0, bulk: 0 }])
  })

  test('tell at once of what comes by no message, all but the peer it came from', () => {
    const { beats, counts, advance, told } = create()
    beats.begin(anna, false)
    beats.begin(bert, false)
    counts.set(idKey(first), 900)
    beats.changed(first)
    beats.changed(first, { source: bert })
    advance(gapDelayMs)
    expect(told(anna)).toEqual([{ stores: 1, bulk: 1 }])
    expect(told(bert)).toEqual([])
    advance(heartbeatDelayMs)
    expect(told(bert)).toEqual([{ stores: 1, bulk: 0 }])
  })

  test('tell a neighbour that begins anew of everything, in frames of bounded size', () => {
    const stores = Array.from({ length: HEARTBEAT_STORES_MAX + 5 }, (_, number) => storeOf(number))
    const { beats, advance, told } = create(stores)
    beats.begin(anna, true)
    advance(heartbeatDelayMs)
    expect(told(anna)).toEqual([
      { stores: HEARTBEAT_STORES_MAX, bulk: 0 },
      { stores: 5, bulk: 0 },
    ])
  })

  test('tell one neighbour soon of what it is still to be told of, once', () => {
    const { beats, advance, told } = create()
    beats.begin(anna, false)
    beats.begin(bert, false)
    beats.tell(anna, [first, second])
    beats.tell(anna, [])
    advance(heartbeatDelayMs)
    beats.tell(anna, [first])
    advance(heartbeatDelayMs)
    expect(told(anna)).toEqual([{ stores: 2, bulk: 0 }])
    expect(told(bert)).toEqual([])
  })

  test('end with the neighbour, and with the network', () => {
    const { beats, advance, told, pending } = create()
    beats.begin(anna, true)
    beats.end(anna)
    expect(pending()).toBe(0)
    beats.begin(bert, true)
    beats.close()
    beats.begin(anna, true)
    expect(pending()).toBe(0)
    advance(heartbeatMs)
    expect([...told(anna), ...told(bert)]).toEqual([])
  })
})
