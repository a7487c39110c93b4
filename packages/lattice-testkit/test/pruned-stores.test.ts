/** Whole nodes join a store whose history was cut, and come back to one. */
import { equalBytes, idKey, type StoreId, toHex } from '@lattice/model'
import type { NodeEvent } from '@lattice/node'
import { system } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, isAlone, put } from './support.ts'

const baseOf = (mesh: SimMesh, index: number, id: StoreId) => mesh.store(index, id).kernel().base()

/** Has the nodes delete everything below an epoch that is made now. */
async function prune(mesh: SimMesh, id: StoreId, indices: readonly number[]): Promise<void> {
  const epoch = await mesh.complete(
    mesh
      .store(indices[0] ?? 0, id)
      .kernel()
      .submitEpoch({ kind: 'prune' }),
  )
  const isCut = (index: number): boolean => {
    const { base, pruning } = mesh.store(index, id).kernel()
    return equalBytes(base()?.epoch ?? new Uint8Array(0), epoch) && pruning().state === 'idle'
  }
  await mesh.run(() => indices.every(isCut), 'the history is cut everywhere')
}

/** Nodes 0 to 2 hold a store with so many overwrites of a few keys, and have cut its history; node 3 is new. */
async function cutStore(seed: string, writes = 60) {
  const mesh = await createSimMesh({ seed, nodes: 4, discovery: true })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  for (const index of [1, 2]) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
  await mesh.converge(id, [0, 1, 2])
  for (let n = 0; n < writes; n += 1) await put(mesh, n % 3, id, [`k${n % 9}`, `of ${n}`])
  await mesh.converge(id, [0, 1, 2])
  await prune(mesh, id, [0, 1, 2])
  return { mesh, id }
}

const isHere = (mesh: SimMesh, index: number, id: StoreId): boolean =>
  mesh
    .node(index)
    .stores()
    .some((store) => idKey(store.id) === idKey(id))

describe('a store whose history was cut', () => {
  test('is joined by its state and what came after, and goes on as any', async () => {
    const { mesh, id } = await cutStore('join')
    await using _ = mesh
    for (let n = 0; n < 5; n += 1) await put(mesh, n % 3, id, [`after ${n}`, 'v'])
    await mesh.complete(mesh.node(3).join(await mesh.invite(0, id)))
    await mesh.run(() => isHere(mesh, 3, id), 'the store is here')
    await mesh.converge(id)
    expect(baseOf(mesh, 3, id)?.epoch).toEqual(baseOf(mesh, 0, id)?.epoch)
    for (let n = 0; n < 9; n += 1) expect(await get(mesh, 3, id, `k${n}`)).toBe(await get(mesh, 0, id, `k${n}`))
    expect(await get(mesh, 3, id, 'after 4')).toBe('v')
    await put(mesh, 3, id, ['k0', 'by the joiner'])
    await put(mesh, 1, id, ['k1', 'by another'])
    await mesh.converge(id)
    const digests = await Promise.all(
      [0, 1, 2, 3].map((index) => mesh.complete(mesh.store(index, id).kernel().stateDigest())),
    )
    expect(new Set(digests.map(toHex)).size).toBe(1)
  })

  test('is joined where it was cut, whatever epoch is settled since', async () => {
    const { mesh, id } = await cutStore('join at the cut')
    await using _ = mesh
    const cut = baseOf(mesh, 0, id)?.epoch
    const later = await mesh.complete(mesh.store(0, id).kernel().submitEpoch({ kind: 'initial' }))
    const settledAt = (index: number) => mesh.store(index, id).kernel().snapshot().settled?.epoch
    const isAt = (index: number): boolean => equalBytes(settledAt(index) ?? id, later)
    await mesh.run(() => [0, 1, 2].every(isAt), 'the later epoch is settled')
    await mesh.complete(mesh.node(3).join(await mesh.invite(0, id)))
    await mesh.converge(id)
    expect([0, 3].map((index) => baseOf(mesh, index, id)?.epoch)).toEqual([cut, cut])
    expect(await get(mesh, 3, id, 'k0')).toBe(await get(mesh, 0, id, 'k0'))
  })
})

describe('a store whose history was cut below an epoch that nobody had signed', () => {
  test('is joined there all the same: who has cut it signs the state', async () => {
    const mesh = await createSimMesh({ seed: 'unsigned', nodes: 4, discovery: true })
    await using _ = mesh
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    for (const index of [1, 2]) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
    for (let n = 0; n < 12; n += 1) await put(mesh, n % 3, id, [`k${n % 5}`, `of ${n}`])
    await mesh.converge(id, [0, 1, 2])
    const { kernel } = mesh.store(0, id)
    // What the others acknowledge is the head, once both have come.
    mesh.partition([0], [1, 2])
    await mesh.run(() => isAlone(mesh, 0, id), 'node 0 is alone')
    const below = await mesh.complete(kernel().submitEpoch({ kind: 'initial' }))
    await mesh.complete(kernel().submitEpoch({ kind: 'prune', below }))
    mesh.heal()
    const isCut = (index: number): boolean => equalBytes(baseOf(mesh, index, id)?.epoch ?? id, below)
    await mesh.run(() => [0, 1, 2].every(isCut), 'the history is cut everywhere')
    await mesh.run(() => kernel().epoch(below)?.isFinal === true, 'enough have signed the state there')
    await mesh.converge(id, [0, 1, 2])
    await mesh.complete(mesh.node(3).join(await mesh.invite(0, id)))
    await mesh.converge(id)
    expect(baseOf(mesh, 3, id)?.epoch).toEqual(below)
    expect(await get(mesh, 3, id, 'k0')).toBe(await get(mesh, 0, id, 'k0'))
  })
})

/** Collects a node's events until it closes. */
function follow(mesh: SimMesh, index: number): NodeEvent[] {
  const events: NodeEvent[] = []
  const run = async (): Promise<void> => {
    for await (const event of mesh.node(index).events(new AbortController().signal)) {
      if ('kind' in event) events.push(event)
    }
  }
  run().catch(() => undefined)
  return events
}

describe('a node that was away', () => {
  test.each([1, 3])('while history was cut %d times comes back, and loses no write of its own', async (cuts) => {
    const mesh = await createSimMesh({ seed: `away ${cuts}`, nodes: 4, discovery: true })
    await using _ = mesh
    const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
    for (const index of [1, 2, 3]) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
    for (let n = 0; n < 12; n += 1) await put(mesh, n % 4, id, [`k${n % 5}`, `of ${n}`])
    await mesh.converge(id)
    // It may write, so the others wait for it no more.
    await mesh.complete(mesh.store(0, id).setPeerStatus('node-3', system.PeerStatus.DORMANT))
    await mesh.converge(id)
    mesh.partition([0, 1, 2], [3])
    await put(mesh, 3, id, ['mine', 'written away'])
    await put(mesh, 3, id, ['k0', 'over the old'])
    await mesh.stop(3)
    for (let cut = 0; cut < cuts; cut += 1) {
      for (let n = 0; n < 8; n += 1) await put(mesh, n % 3, id, [`k${n % 5}`, `${cut} ${n}`])
      await mesh.converge(id, [0, 1, 2])
      await prune(mesh, id, [0, 1, 2])
    }
    await put(mesh, 0, id, ['after', 'v'])
    mesh.heal()
    await mesh.start(3)
    const events = follow(mesh, 3)
    await mesh.run(() => events.some(({ kind }) => kind === 'returned'), 'it came back')
    const returned = events.find((event) => event.kind === 'returned')
    await mesh.converge(id)
    expect(baseOf(mesh, 3, id)?.epoch).toEqual(baseOf(mesh, 0, id)?.epoch)
    expect(await get(mesh, 3, id, 'after')).toBe('v')
    // What it wrote cites what is gone: nothing of it counts anywhere, and all of it is told.
    expect(returned).toMatchObject({ base: baseOf(mesh, 0, id)?.epoch })
    expect(returned?.kind === 'returned' && returned.kept + returned.waiting).toBeGreaterThanOrEqual(2)
    expect(await get(mesh, 3, id, 'k0')).toBe(await get(mesh, 0, id, 'k0'))
    await mesh.run(() => mesh.store(3, id).status().held === undefined, 'it may write again')
    await put(mesh, 3, id, ['mine', 'written anew'])
    await mesh.converge(id)
    expect(await get(mesh, 1, id, 'mine')).toBe('written anew')
    // And it serves the store as any other does.
    await mesh.restart(3)
    await mesh.converge(id)
  })
})
