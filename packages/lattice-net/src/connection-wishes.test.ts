import { type IdKey, idKey, type PublicKey, toPublicKey } from '@lattice/model'
import { createManualScheduler, createSeededRandom } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { type ConnectionWishes, createConnectionWishes } from './connection-wishes.ts'
import type { Dialer } from './dialer.ts'
import { DEFAULT_LIMITS, MAX_HEARD_PEERS, STABLE_CONNECTION_MS } from './limits.ts'

const self = toPublicKey(new Uint8Array(32).fill(9))
const peer = toPublicKey(new Uint8Array(32).fill(1))
const [topic, other] = [idKey(new Uint8Array(32).fill(7)), idKey(new Uint8Array(32).fill(8))]

interface World {
  readonly wishes: ConnectionWishes
  readonly dialled: ReadonlySet<IdKey>
  readonly failed: PublicKey[]
  readonly known: Map<IdKey, readonly string[]>
  readonly advance: (ms: number) => void
}

function create(): World {
  const scheduler = createManualScheduler()
  const dialled = new Set<IdKey>()
  const failed: PublicKey[] = []
  const known = new Map<IdKey, readonly string[]>()
  const dialer = {
    want: (wanted: PublicKey) => dialled.add(idKey(wanted)),
    unwant: (wanted: PublicKey) => dialled.delete(idKey(wanted)),
  } as unknown as Dialer
  const wishes = createConnectionWishes({
    self,
    clock: scheduler.clock,
    random: createSeededRandom('wishes'),
    limits: DEFAULT_LIMITS,
    dialer: () => dialer,
    isConnected: () => false,
    ownAddresses: () => ['own'],
    addressesOf: (asked) => known.get(idKey(asked)) ?? [],
    onFailed: (gone) => failed.push(gone),
  })
  return { wishes, dialled, failed, known, advance: scheduler.advance }
}

describe('wishes for connections', () => {
  test('hold for as long as anybody has them', () => {
    const { wishes, dialled } = create()
    wishes.want(peer, topic)
    wishes.want(peer, other)
    wishes.call(peer, [])
    wishes.unwant(peer, topic)
    wishes.unwant(peer, topic)
    wishes.uncall(peer)
    expect(wishes.isWanted(peer)).toBe(true)
    expect(dialled.size).toBe(1)
    wishes.unwant(peer, other)
    expect(wishes.isWanted(peer)).toBe(false)
    expect(dialled.size).toBe(0)
  })

  test('of topics wait for a growing time after each failure, and are never given up', () => {
    const { wishes, dialled, failed, advance } = create()
    const rests: number[] = []
    for (let round = 0; round < 12; round += 1) {
      wishes.want(peer, topic)
      expect(dialled.size).toBe(1)
      wishes.dialFailed(peer)
      wishes.unwant(peer, topic)
      let rested = 0
      for (failed.length = 0; ; failed.length = 0) {
        wishes.want(peer, topic)
        if (failed.length === 0) break
        advance(100)
        rested += 100
      }
      wishes.unwant(peer, topic)
      rests.push(rested)
    }
    expect(rests[0]).toBeLessThanOrEqual(DEFAULT_LIMITS.dialBackoffMs)
    expect(rests.at(-1)).toBeGreaterThanOrEqual(DEFAULT_LIMITS.dialBackoffMaxMs / 2)
    expect(Math.max(...rests)).toBeLessThanOrEqual(DEFAULT_LIMITS.dialBackoffMaxMs + 100)
  })

  test('rest after a connection that did not last, and not after one that did, nor after waking', () => {
    const { wishes, failed } = create()
    const isRefused = (): boolean => {
      failed.length = 0
      wishes.want(peer, topic)
      wishes.unwant(peer, topic)
      return failed.length > 0
    }
    wishes.ended(peer, 10)
    expect(isRefused()).toBe(true)
    wishes.ended(peer, STABLE_CONNECTION_MS)
    expect(isRefused()).toBe(false)
    wishes.ended(peer, 10)
    wishes.wake()
    expect(isRefused()).toBe(false)
  })

  test('are for where the peer was reached, else for where others say it is', () => {
    const { wishes, known } = create()
    expect(wishes.addresses(self)).toEqual(['own'])
    wishes.heard({ peer, addresses: ['heard'] })
    expect(wishes.addresses(peer)).toEqual(['heard'])
    known.set(idKey(peer), ['known'])
    expect(wishes.addresses(peer)).toEqual(['known'])
  })

  test('remember a bounded number of peers that others spoke of', () => {
    const { wishes } = create()
    const nth = (number: number): PublicKey =>
      toPublicKey(new Uint8Array(32).fill(number & 255, 0, 1).fill(number >> 8, 1, 2))
    for (let number = 0; number <= MAX_HEARD_PEERS; number += 1) wishes.heard({ peer: nth(number), addresses: ['a'] })
    expect(wishes.addresses(nth(0))).toEqual([])
    expect(wishes.addresses(nth(1))).toEqual(['a'])
  })
})
