/** A peer that was removed while it was away, and the history of that cut: it learns of it all the same, and loses nothing. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { equalBytes, type StoreId, toHex } from '@lattice/model'
import type { NodeEvent } from '@lattice/node'
import { system } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, isAlone, keyOf, put, stateOf } from './support.ts'

const kernelOf = (mesh: SimMesh, index: number, id: StoreId) => mesh.store(index, id).kernel()

async function prune(mesh: SimMesh, id: StoreId, indices: readonly number[]): Promise<void> {
  const epoch = await mesh.complete(kernelOf(mesh, indices[0] ?? 0, id).submitEpoch({ kind: 'prune' }))
  const isCut = (index: number): boolean =>
    equalBytes(kernelOf(mesh, index, id).base()?.epoch ?? new Uint8Array(0), epoch)
  await mesh.run(() => indices.every(isCut), 'the history is cut everywhere')
}

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

interface Scene {
  readonly mesh: SimMesh
  readonly id: StoreId
}

/** Nodes 0 to 3; node 3 is away with writes of its own from here on. */
async function away(seed: string): Promise<Scene> {
  const mesh = await createSimMesh({ seed, nodes: 4, discovery: true })
  const id = await mesh.share('team')
  for (let n = 0; n < 12; n += 1) await put(mesh, n % 4, id, [`k${n % 5}`, `of ${n}`])
  await put(mesh, 3, id, ['known', 'kept'])
  await mesh.converge(id)
  await leave({ mesh, id })
  return { mesh, id }
}

async function leave({ mesh, id }: Scene): Promise<void> {
  mesh.partition([0, 1, 2], [3])
  // What is on its way over a connection that stands arrives once it can.
  await mesh.run(() => isAlone(mesh, 3, id), 'node 3 is alone')
  await put(mesh, 3, id, ['apart', 'cut'])
  await put(mesh, 3, id, ['k0', 'cut, too'])
}

/** The others write, and node 0 does something about node 3 in the middle of that. */
async function meanwhile({ mesh, id }: Scene, act: () => Promise<unknown>): Promise<void> {
  for (let n = 0; n < 6; n += 1) await put(mesh, n % 3, id, [`k${n % 5}`, `then ${n}`])
  await mesh.converge(id, [0, 1, 2])
  await mesh.complete(act())
  for (let n = 0; n < 6; n += 1) await put(mesh, n % 3, id, [`k${n % 5}`, `later ${n}`])
  await mesh.converge(id, [0, 1, 2])
}

/** What is so of node 3 once it knows. */
async function expectOut(mesh: SimMesh, id: StoreId): Promise<void> {
  expect(stateOf(mesh, 3, id)).toBe('revoked')
  const [removal] = kernelOf(mesh, 0, id).revokedBy(mesh.node(3).id)
  expect(kernelOf(mesh, 3, id).removal()).toEqual({ epoch: removal, author: mesh.node(0).id })
  expect(kernelOf(mesh, 3, id).revokedBy(mesh.node(3).id)).toEqual([removal])
  expect(await codeOf(mesh, put(mesh, 3, id, ['no', 'more']))).toBe('REVOKED')
  const cut = mesh.store(3, id).kernel().excluded(10)
  expect(cut.length).toBeGreaterThanOrEqual(2)
  for (const { author, epoch } of cut) expect([author, epoch]).toEqual([mesh.node(3).id, removal])
  // What it had is here, without what was cut.
  expect(await get(mesh, 3, id, 'known')).toBe('kept')
  expect(await get(mesh, 3, id, 'apart')).toBe(undefined)
  expect(await get(mesh, 3, id, 'k0')).toMatch(/^of /)
  expect(
    mesh
      .store(3, id)
      .peers()
      .find(({ self }) => self)?.status,
  ).toBe(system.PeerStatus.REVOKED)
}

describe('a peer that was removed while it was away, and the history of that cut', () => {
  test('is shown so, keeps its store without what it wrote since, and does not forget it', async () => {
    const scene = await away('out')
    await using mesh = scene.mesh
    const { id } = scene
    await meanwhile(scene, async () => mesh.store(0, id).revokePeer(keyOf(mesh, 3)))
    await prune(mesh, id, [0, 1, 2])
    const events = follow(mesh, 3)
    const before = kernelOf(mesh, 3, id).stats().witnessCount
    mesh.heal()
    await mesh.run(() => events.some(({ kind }) => kind === 'self_revoked'), 'node 3 knows')
    await mesh.run(() => kernelOf(mesh, 3, id).projection().isStale !== true, 'its state follows')
    expect(events.find((event) => event.kind === 'self_revoked')).toMatchObject({ by: mesh.node(0).id })
    expect(events.find((event) => event.kind === 'excluded')).toMatchObject({ own: true })
    await expectOut(mesh, id)
    // Its log is what it was: nothing is lost, and nothing came of the others'.
    expect(kernelOf(mesh, 3, id).stats().witnessCount).toBe(before)
    expect(kernelOf(mesh, 3, id).base()).toBe(undefined)
    await mesh.restart(3)
    await mesh.run(() => stateOf(mesh, 3, id) === 'revoked', 'node 3 knows again')
    await expectOut(mesh, id)
    mesh.partition([0, 1, 2], [3])
    mesh.crash(3)
    await mesh.start(3)
    await mesh.run(() => stateOf(mesh, 3, id) === 'revoked', 'node 3 knows by itself')
    await expectOut(mesh, id)
    expect((await mesh.complete(mesh.store(3, id).verify())).outcome).toBe('sound')
  })

  test('is shown so where history was cut before its removal, and it keeps where its own begins', async () => {
    const mesh = await createSimMesh({ seed: 'before', nodes: 4, discovery: true })
    await using _ = mesh
    const id = await mesh.share('team')
    for (let n = 0; n < 8; n += 1) await put(mesh, n % 4, id, [`k${n % 5}`, `of ${n}`])
    await put(mesh, 3, id, ['known', 'kept'])
    await mesh.converge(id)
    await prune(mesh, id, [0, 1, 2, 3])
    const base = kernelOf(mesh, 3, id).base()
    await mesh.complete(mesh.store(0, id).setPeerStatus('node-3', system.PeerStatus.DORMANT))
    await mesh.converge(id)
    const scene = { mesh, id }
    await leave(scene)
    await meanwhile(scene, async () => prune(mesh, id, [0, 1, 2]))
    await meanwhile(scene, async () => mesh.store(0, id).revokePeer(keyOf(mesh, 3)))
    mesh.heal()
    await mesh.run(() => stateOf(mesh, 3, id) === 'revoked', 'node 3 knows')
    await mesh.run(() => kernelOf(mesh, 3, id).projection().isStale !== true, 'its state follows')
    await expectOut(mesh, id)
    expect(kernelOf(mesh, 3, id).base()).toEqual(base)
  })

  test('is shown so where no history can be begun at its removal, for what was written beside it', async () => {
    const scene = await away('beside')
    await using mesh = scene.mesh
    const { id } = scene
    const setDormant = (index: number): Promise<unknown> =>
      mesh.complete(mesh.store(0, id).setPeerStatus(`node-${index}`, system.PeerStatus.DORMANT))
    await setDormant(3)
    await meanwhile(scene, async () => prune(mesh, id, [0, 1, 2]))
    await setDormant(2)
    await mesh.converge(id, [0, 1, 2])
    mesh.partition([0, 1], [2], [3])
    await mesh.run(() => isAlone(mesh, 2, id), 'node 2 is alone')
    await put(mesh, 2, id, ['beside', 'here'])
    await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 3)))
    await mesh.converge(id, [0, 1])
    mesh.partition([0, 1, 2], [3])
    await mesh.converge(id, [0, 1, 2])
    const [removal] = kernelOf(mesh, 0, id).revokedBy(mesh.node(3).id)
    if (removal === undefined) throw new Error('node 3 was removed')
    await mesh.run(() => kernelOf(mesh, 0, id).epoch(removal)?.isFinal === true, 'its removal is final')
    expect(kernelOf(mesh, 0, id).over(removal)).toBeUndefined()
    mesh.heal()
    await mesh.run(() => stateOf(mesh, 3, id) === 'revoked', 'node 3 knows')
    await mesh.run(() => kernelOf(mesh, 3, id).projection().isStale !== true, 'its state follows')
    await expectOut(mesh, id)
    expect(kernelOf(mesh, 0, id).base()?.epoch).not.toEqual(removal)
  })

  test('comes back by a new invite: it fetches the store anew, and what was cut is told', async () => {
    const scene = await away('again')
    await using mesh = scene.mesh
    const { id } = scene
    await meanwhile(scene, async () => mesh.store(0, id).revokePeer(keyOf(mesh, 3)))
    await prune(mesh, id, [0, 1, 2])
    mesh.heal()
    await mesh.run(() => stateOf(mesh, 3, id) === 'revoked', 'node 3 knows')
    const events = follow(mesh, 3)
    await mesh.complete(mesh.node(3).join(await mesh.invite(0, id)))
    await mesh.converge(id)
    expect(stateOf(mesh, 3, id)).toBe('active')
    expect(kernelOf(mesh, 3, id).removal()).toBe(undefined)
    expect(kernelOf(mesh, 3, id).base()?.epoch).toEqual(kernelOf(mesh, 0, id).base()?.epoch)
    const returned = events.find((event) => event.kind === 'returned')
    const excluded = mesh.store(3, id).kernel().excluded(10).length
    expect(returned?.kind === 'returned' && returned.waiting + excluded).toBeGreaterThanOrEqual(2)
    await mesh.run(() => mesh.store(3, id).status().held === undefined, 'it may write again')
    await put(mesh, 3, id, ['back', 'yes'])
    await mesh.converge(id)
    expect(await get(mesh, 1, id, 'back')).toBe('yes')
    await mesh.restart(3)
    await mesh.converge(id)
    expect(stateOf(mesh, 3, id)).toBe('active')
    // What showed it is not kept longer than it tells something.
    const directory = join(mesh.peers[3]?.dataDir() ?? '', 'stores', toHex(id))
    expect(readdirSync(directory).filter((name) => name.startsWith('remov'))).toEqual([])
  })

  test('is out of the stores below as well, and does not follow them', async () => {
    const mesh = await createSimMesh({ seed: 'below', nodes: 4, discovery: true })
    await using _ = mesh
    const id = await mesh.share('team')
    const { id: notes } = await mesh.complete(mesh.node(0).createStore({ name: 'notes', parent: id }))
    await mesh.converge(notes)
    await put(mesh, 3, notes, ['before', 'kept'])
    await mesh.converge(notes)
    const scene = { mesh, id }
    await leave(scene)
    await put(mesh, 3, notes, ['apart', 'cut'])
    await meanwhile(scene, async () => mesh.store(0, id).revokePeer(keyOf(mesh, 3)))
    const followed = (index: number): boolean => kernelOf(mesh, index, notes).membership().limited().length === 1
    await mesh.run(() => [0, 1, 2].every(followed), 'the child has followed')
    await prune(mesh, id, [0, 1, 2])
    await prune(mesh, notes, [0, 1, 2])
    mesh.heal()
    await mesh.run(() => [id, notes].every((each) => stateOf(mesh, 3, each) === 'revoked'), 'node 3 knows of both')
    expect(await codeOf(mesh, put(mesh, 3, notes, ['no', 'more']))).toBe('REVOKED')
    await mesh.time.pass(60_000)
    // Whoever told it so is not blamed for what it could not show of the child.
    expect(
      mesh
        .store(3, id)
        .peers()
        .flatMap(({ conduct }) => conduct?.misbehaviour ?? []),
    ).toEqual([])
  })
})

test('a peer that was demoted to a reader while it was away, and the history of that cut, fetches the store and reads', async () => {
  const scene = await away('reader')
  await using mesh = scene.mesh
  const { id } = scene
  await meanwhile(scene, async () => mesh.store(0, id).setPeerRole(keyOf(mesh, 3), system.Role.READER))
  await prune(mesh, id, [0, 1, 2])
  await put(mesh, 1, id, ['after', 'v'])
  const events = follow(mesh, 3)
  mesh.heal()
  await mesh.run(() => events.some(({ kind }) => kind === 'returned'), 'it came back')
  await mesh.converge(id)
  expect(stateOf(mesh, 3, id)).toBe('active')
  expect(await get(mesh, 3, id, 'after')).toBe('v')
  expect(await get(mesh, 3, id, 'apart')).toBe(undefined)
  expect(await codeOf(mesh, put(mesh, 3, id, ['no', 'more']))).toBe('REVOKED')
  const returned = events.find((event) => event.kind === 'returned')
  const excluded = mesh.store(3, id).kernel().excluded(10).length
  expect(returned?.kind === 'returned' && returned.waiting + excluded).toBeGreaterThanOrEqual(2)
})

test('a senior that removed the junior who removed it is not persuaded, whatever was cut on that', async () => {
  const mesh = await createSimMesh({ seed: 'senior', nodes: 4, discovery: true })
  await using _ = mesh
  const id = await mesh.share('team')
  await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
  await mesh.converge(id)
  mesh.partition([0], [1, 2, 3])
  await mesh.run(() => isAlone(mesh, 0, id), 'node 0 is alone')
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  await put(mesh, 0, id, ['mine', 'v'])
  for (let n = 0; n < 6; n += 1) await put(mesh, 1 + (n % 3), id, [`k${n % 5}`, `then ${n}`])
  await mesh.converge(id, [1, 2, 3])
  await mesh.complete(mesh.store(1, id).revokePeer(keyOf(mesh, 0)))
  await mesh.converge(id, [1, 2, 3])
  await prune(mesh, id, [1, 2, 3])
  mesh.heal()
  await mesh.time.pass(120_000)
  expect(stateOf(mesh, 0, id)).toBe('active')
  expect(kernelOf(mesh, 0, id).removal()).toBe(undefined)
  await put(mesh, 0, id, ['mine', 'still'])
  expect(await get(mesh, 0, id, 'mine')).toBe('still')
  // A person is told of each of the others, and may go with them.
  const told = (await mesh.complete(mesh.node(0).why())).filter(({ code }) => code === 'peer_refused')
  expect(new Set(told.map(({ peer }) => peer?.name))).toEqual(new Set(['node-2', 'node-3']))
  expect(told[0]).toMatchObject({ detail: { code: 'REVOKED' } })
  // Who showed it may not know better.
  expect(
    mesh
      .store(0, id)
      .peers()
      .flatMap(({ conduct }) => conduct?.misbehaviour ?? []),
  ).toEqual([])
  await mesh.complete(mesh.store(0, id).leave({ force: true }))
  await mesh.complete(mesh.node(0).join(await mesh.invite(1, id)))
  await mesh.converge(id)
  // It was here before: it is compared with all before it writes.
  await mesh.time.pass(120_000)
  await put(mesh, 0, id, ['mine', 'again'])
  await mesh.converge(id)
  expect(await get(mesh, 3, id, 'mine')).toBe('again')
})
