import { idKey, type PublicKey, type StoreId, toPublicKey, toStoreId } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { EXTRA_HOLDER_REVIEWS, EXTRA_HOLDERS_MAX, SPARSE_HOLDERS } from './limits.ts'
import { createSparseHolders, type SparseHolders } from './sparse-holders.ts'

const peerOf = (index: number): PublicKey => toPublicKey(new Uint8Array(32).fill(index + 1))
const storeOf = (index: number): StoreId => toStoreId(new Uint8Array(32).fill(index + 100))

/** Of the circle, without any store. */
const NEIGHBOR = 49

interface World {
  readonly holders: SparseHolders
  /** By index of the peer. */
  readonly connected: Set<number>
  readonly wanted: Set<number>
  /** Pairs of a peer and a store. */
  readonly held: (readonly [number, number])[]
  readonly past: (readonly [number, number])[]
  readonly stores: number[]
}

function create(): World {
  const world = {
    connected: new Set<number>(),
    wanted: new Set<number>(),
    held: [] as (readonly [number, number])[],
    past: [] as (readonly [number, number])[],
    stores: [0],
  }
  const indexOf = (id: Uint8Array): number => (id[0] ?? 0) - 1
  const holders = createSparseHolders({
    random: createSeededRandom('holders'),
    stores: () => world.stores.map(storeOf),
    connected: () => [NEIGHBOR, ...world.connected].map(peerOf),
    holds: (peer, storeId) => world.held.some(([p, s]) => p === indexOf(peer) && s === (storeId[0] ?? 0) - 100),
    pastHolders: () => world.past.map(([p, s]) => ({ peer: peerOf(p), store: idKey(storeOf(s)) })),
    isNeighbor: (peer) => indexOf(peer) === NEIGHBOR,
    mayUse: (peer) => indexOf(peer) !== 50,
    want: (peer) => world.wanted.add(indexOf(peer)),
    unwant: (peer) => world.wanted.delete(indexOf(peer)),
  })
  return { ...world, holders }
}
function review({ holders }: World, times: number): void {
  for (let time = 0; time < times; time += 1) holders.review()
}

describe('holders of stores that no neighbour has', () => {
  test('are connected, as many as it takes, and stay while they are of use', () => {
    const world = create()
    for (let peer = 10; peer < 20; peer += 1) world.past.push([peer, 0])
    review(world, 1)
    expect(world.wanted.size).toBe(1)
    for (let round = 0; round < 5; round += 1) {
      for (const peer of world.wanted) {
        world.connected.add(peer)
        world.held.push([peer, 0])
      }
      review(world, 1)
    }
    review(world, 2 * EXTRA_HOLDER_REVIEWS)
    expect(world.wanted.size).toBe(SPARSE_HOLDERS)
  })

  test('are not looked for where neighbours hold the store, nor among those that may not use it', () => {
    const world = create()
    world.past.push([10, 0], [50, 1])
    world.stores.push(1)
    for (let peer = 0; peer < SPARSE_HOLDERS; peer += 1) {
      world.connected.add(peer)
      world.held.push([peer, 0])
    }
    review(world, 3)
    expect(world.wanted.size).toBe(0)
  })

  test('that cannot be reached, or hold it no more, make room for others', () => {
    const world = create()
    world.past.push([10, 0])
    review(world, 1)
    expect([...world.wanted]).toEqual([10])
    world.past.splice(0, 1, [11, 0])
    review(world, EXTRA_HOLDER_REVIEWS)
    expect([...world.wanted]).toEqual([11])
  })

  test('are let go with the store, and once the store has enough of them', () => {
    const world = create()
    world.past.push([10, 0])
    review(world, 1)
    for (const peer of [10, 1, 2]) {
      world.connected.add(peer)
      world.held.push([peer, 0])
    }
    review(world, 1)
    expect(world.wanted.size).toBe(0)
    world.connected.clear()
    review(world, 1)
    expect(world.wanted.size).toBe(1)
    world.stores.pop()
    review(world, 1)
    expect(world.wanted.size).toBe(0)
  })

  test('are bounded, however many stores lack them', () => {
    const world = create()
    world.stores.splice(0, 1, ...Array.from({ length: 30 }, (_, store) => store))
    for (let store = 0; store < 30; store += 1) world.past.push([60 + store, store])
    review(world, 30)
    expect(world.wanted.size).toBeLessThanOrEqual(EXTRA_HOLDERS_MAX)
  })
})
