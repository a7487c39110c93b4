import type { StoreId } from '@lattice/model'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, kvOf, put } from './support.ts'

const NODES = 12
/** Neighbours of a node, and a few that were some a moment ago. */
const CONNECTIONS_MAX = 8

let mesh: SimMesh
let id: StoreId
beforeAll(async () => {
  mesh = await createSimMesh({ seed: 'large', nodes: NODES })
  id = await mesh.share('team')
  await mesh.converge(id)
  await mesh.time.pass(60_000)
}, 180_000)
afterAll(async () => {
  await mesh.close()
})

const all = Array.from({ length: NODES }, (_, index) => index)
const connections = (indices = all): number[] =>
  indices.map((index) => mesh.node(index).network.connectedPeers().length)
const sessionsOf = (index: number): (() => number) => {
  let count = 0
  const follow = async (): Promise<void> => {
    for await (const event of mesh.node(index).events(new AbortController().signal)) {
      if ('kind' in event && event.kind === 'sync_result') count += 1
    }
  }
  follow().catch(() => undefined)
  return () => count
}
async function withinMs(work: () => Promise<void>): Promise<number> {
  const before = mesh.time.scheduler.clock.monotonicMs()
  await work()
  return mesh.time.scheduler.clock.monotonicMs() - before
}

// The cases go on from each other: a mesh of this size takes long to make.
describe('a mesh of more nodes than one stays connected to', { timeout: 60_000 }, () => {
  test('keeps a few connections for each, though everybody knows everybody', async () => {
    // The circle is made anew with the first epoch; those of the old one are let go.
    await mesh.run(() => Math.max(...connections()) <= CONNECTIONS_MAX, 'connections are few')
    expect(Math.min(...connections())).toBeGreaterThan(0)
    for (const index of all) expect(mesh.store(index, id).peers()).toHaveLength(NODES)
  })

  test('takes a write to everybody at once, along the tree, and synced is said soon after', async () => {
    const sessions = all.map(sessionsOf)
    for (const index of [0, 5, 11]) {
      await put(mesh, index, id, [`from ${index}`, 'v'])
      expect(await withinMs(() => mesh.converge(id))).toBeLessThan(3_000)
    }
    // A connection that was just made says what its peer holds a moment later.
    const isSaid = (index: number): boolean => {
      const { synced, peersSynced, peersDiffering } = mesh.store(index, id).status()
      return synced && peersDiffering === 0 && peersSynced === mesh.node(index).network.connectedPeers().length
    }
    await mesh.run(
      () => all.every(isSaid),
      'every node says that it is synced with all that it is connected to',
      30_000,
    )
    // One of a connection that begins as the write travels is no rule, but happens.
    expect(sessions.reduce((sum, count) => sum + count(), 0)).toBeLessThanOrEqual(2)
  })

  test('says of none of its nodes that a peer is missing', async () => {
    for (const index of [0, 7]) {
      const why = await mesh.complete(mesh.node(index).why({ store: id }))
      expect(JSON.stringify(why)).not.toMatch(/no_route|peer_offline/)
    }
  })

  test('takes a value too large for a message along by announcing it', async () => {
    await mesh.complete(kvOf(mesh, 3, id).put('large', 'x'.repeat(120_000)))
    expect(await withinMs(() => mesh.converge(id))).toBeLessThan(8_000)
    expect((await get(mesh, 9, id, 'large'))?.length).toBe(120_000)
  })

  test('goes on as nodes crash, and has them back', async () => {
    for (const index of [1, 4, 8]) mesh.crash(index)
    const left = all.filter((index) => ![1, 4, 8].includes(index))
    await put(mesh, 0, id, ['after the crash', 'v'])
    await mesh.converge(id, left)
    for (const index of [1, 4, 8]) await mesh.start(index)
    await mesh.converge(id)
    expect(await get(mesh, 8, id, 'after the crash')).toBe('v')
  })

  test('grows together again after it was cut in two', async () => {
    mesh.partition(all.slice(0, 6), all.slice(6))
    await mesh.time.pass(60_000)
    await put(mesh, 0, id, ['left', 'v'])
    await put(mesh, 6, id, ['right', 'v'])
    await mesh.converge(id, all.slice(0, 6))
    await mesh.converge(id, all.slice(6))
    mesh.heal()
    await mesh.converge(id)
    expect(await get(mesh, 2, id, 'right')).toBe('v')
  })
})
