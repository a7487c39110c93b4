/** A removed peer among whole nodes: what it gets, what becomes of what it sends, and that it learns. */
import { type StoreId, toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, isAlone, keyOf, put } from './support.ts'

async function team(
  seed: number,
  {
    admin,
    nodes = 3,
    discovery = false,
  }: { readonly admin?: number; readonly nodes?: number; readonly discovery?: boolean } = {},
): Promise<{ mesh: SimMesh; id: StoreId }> {
  const mesh = await createSimMesh({ seed, nodes, discovery })
  const id = await mesh.share('team')
  if (admin !== undefined) await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, admin), system.Role.ADMIN))
  await mesh.converge(id)
  return { mesh, id }
}

/** The epochs that removed node `of`, as node `at` has it. */
const removals = (mesh: SimMesh, at: number, id: StoreId, of: number): string[] =>
  mesh.store(at, id).kernel().revokedBy(mesh.node(of).id).map(toHex)

test('a peer that is removed while it is away and writes learns of it as it returns; nothing of that appears', async () => {
  const { mesh, id } = await team(11)
  await using _ = mesh
  mesh.partition([0, 1], [2])
  await mesh.run(() => isAlone(mesh, 2, id), 'node 2 is alone')
  for (let write = 0; write < 5; write += 1) await put(mesh, 2, id, [`apart${write}`, 'cut'])
  for (let write = 0; write < 5; write += 1) await put(mesh, 1, id, [`before${write}`, 'known'])
  await mesh.converge(id, [0, 1])
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 2)))
  await put(mesh, 0, id, ['after', 'secret'])
  await mesh.converge(id, [0, 1])
  const floating = [0, 1].map((index) => mesh.store(index, id).kernel().stats().floatingCount)
  mesh.heal()
  await mesh.run(() => removals(mesh, 2, id, 2).length === 1, 'node 2 knows')
  await mesh.time.pass(120_000)
  expect(removals(mesh, 2, id, 2)).toEqual(removals(mesh, 0, id, 2))
  for (const index of [0, 1]) {
    expect(await get(mesh, index, id, 'apart0')).toBe(undefined)
    // Nothing of it was even taken in to wait.
    expect(mesh.store(index, id).kernel().stats().floatingCount).toBe(floating[index])
  }
  // And what acknowledged others meanwhile.
  expect(mesh.store(2, id).kernel().excluded(10).length).toBeGreaterThanOrEqual(5)
  expect(mesh.isConverged(id, [0, 1])).toBe(true)
  expect(await get(mesh, 2, id, 'before4')).toBe('known')
  expect(await get(mesh, 2, id, 'after')).toBe(undefined)
})

test('of two admins that remove each other apart, the junior learns it, the senior goes on with the others', async () => {
  const { mesh, id } = await team(12, { admin: 1 })
  await using _ = mesh
  mesh.partition([0], [1, 2])
  await mesh.run(() => isAlone(mesh, 0, id), 'node 0 is alone')
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  await mesh.complete(mesh.store(1, id).revokePeer(keyOf(mesh, 0)))
  await mesh.converge(id, [1, 2])
  expect(removals(mesh, 2, id, 0)).toHaveLength(1)
  mesh.heal()
  await mesh.run(() => removals(mesh, 2, id, 1).length === 1 && removals(mesh, 2, id, 0).length === 0, 'node 2 knows')
  await mesh.run(() => removals(mesh, 1, id, 1).length === 1, 'node 1 knows')
  await put(mesh, 2, id, ['more', 'writes'])
  await mesh.converge(id, [0, 2])
  expect(await get(mesh, 0, id, 'more')).toBe('writes')
})

test('of two admins that remove each other, with nobody else left, the junior learns it all the same', async () => {
  const mesh = await createSimMesh({ seed: 13, nodes: 2 })
  await using _ = mesh
  const id = await mesh.share('team')
  await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
  await mesh.converge(id)
  mesh.partition([0], [1])
  await mesh.run(() => isAlone(mesh, 0, id), 'node 0 is alone')
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  await mesh.complete(mesh.store(1, id).revokePeer(keyOf(mesh, 0)))
  mesh.heal()
  await mesh.run(() => removals(mesh, 1, id, 1).length === 1, 'node 1 knows')
  expect(removals(mesh, 0, id, 0)).toEqual([])
})

test('of two admins of whom the senior demotes the other, and is removed by it, the junior learns that it was demoted', async () => {
  const mesh = await createSimMesh({ seed: 17, nodes: 3 })
  await using _ = mesh
  const id = await mesh.share('team')
  await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
  await mesh.converge(id)
  mesh.partition([0], [1, 2])
  await mesh.run(() => isAlone(mesh, 0, id), 'node 0 is alone')
  await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, 1), system.Role.WRITER))
  await mesh.complete(mesh.store(1, id).revokePeer(keyOf(mesh, 0)))
  await mesh.converge(id, [1, 2])
  mesh.heal()
  await mesh.run(() => [1, 2].every((at) => removals(mesh, at, id, 0).length === 0), 'the removal is void everywhere')
  await mesh.converge(id)
  for (const at of [0, 1, 2]) {
    expect(mesh.store(at, id).kernel().membership().isAdmin(mesh.node(1).id)).toBe(false)
    expect(mesh.store(at, id).kernel().membership().isAdmin(mesh.node(0).id)).toBe(true)
  }
})

test('whom a junior removed after its senior learns from that one that it was not', async () => {
  const { mesh, id } = await team(19, { admin: 1 })
  await using _ = mesh
  mesh.partition([0], [1, 2])
  await mesh.run(() => isAlone(mesh, 0, id), 'node 0 is alone')
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  await mesh.complete(mesh.store(1, id).revokePeer(keyOf(mesh, 0)))
  await mesh.complete(mesh.store(1, id).revokePeer(keyOf(mesh, 2)))
  await mesh.run(() => removals(mesh, 2, id, 2).length === 1, 'node 2 knows')
  expect(removals(mesh, 2, id, 0)).toHaveLength(1)
  mesh.partition([0, 2], [1])
  await mesh.run(() => removals(mesh, 2, id, 2).length === 0, 'node 2 knows better')
  await put(mesh, 2, id, ['more', 'writes'])
  await mesh.converge(id, [0, 2])
  expect(await get(mesh, 0, id, 'more')).toBe('writes')
})

test('a peer that is invited again by somebody who turns out to be removed is told that it is not let in', async () => {
  const { mesh, id } = await team(18, { admin: 1, discovery: true })
  await using _ = mesh
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 2)))
  await mesh.run(() => stateOf(mesh, 2) === 'revoked', 'node 2 knows that it is out')
  await mesh.converge(id, [0, 1])
  mesh.partition([0], [1, 2])
  await mesh.run(() => isAlone(mesh, 0, id), 'node 0 is alone')
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  const joined = mesh.node(2).join(await mesh.invite(1, id))
  joined.catch(() => undefined)
  await mesh.run(() => removals(mesh, 1, id, 2).length === 0, 'node 1 has let it in')
  // What let it in has not come to it, and comes to nobody any more.
  mesh.partition([0, 1], [2])
  expect(stateOf(mesh, 2)).toBe('revoked')
  await mesh.run(() => stateOf(mesh, 1) === 'revoked', 'node 1 knows that it is out itself')
  mesh.heal()
  await expect(mesh.complete(joined)).rejects.toMatchObject({ code: 'NOT_ADMITTED' })
  expect(stateOf(mesh, 2)).toBe('revoked')
  await mesh.complete(mesh.node(2).join(await mesh.invite(0, id)))
  await mesh.converge(id, [0, 2])
})

test('so is one whose inviter was removed before it, and knows nobody of the store by now', async () => {
  const { mesh, id } = await team(19, { admin: 1, discovery: true })
  await using _ = mesh
  mesh.partition([0, 2], [1])
  await mesh.run(() => isAlone(mesh, 1, id), 'node 1 is alone')
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 2)))
  await mesh.run(() => stateOf(mesh, 2) === 'revoked', 'node 2 knows that it is out')
  const token = await mesh.invite(1, id)
  mesh.partition([0], [1, 2])
  const joined = mesh.node(2).join(token)
  joined.catch(() => undefined)
  mesh.heal()
  await expect(mesh.complete(joined)).rejects.toMatchObject({ code: 'NOT_ADMITTED' })
  expect(stateOf(mesh, 2)).toBe('revoked')
})

test('who came back by somebody that turns out to be removed learns it, and nothing that was written since', async () => {
  const { mesh, id } = await team(20, { admin: 1, nodes: 4, discovery: true })
  await using _ = mesh
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 2)))
  await mesh.run(() => stateOf(mesh, 2) === 'revoked', 'node 2 knows that it is out')
  await mesh.converge(id, [0, 1, 3])
  mesh.partition([0, 3], [1, 2])
  await mesh.run(() => isAlone(mesh, 1, id), 'node 1 sees nobody that is in')
  await mesh.complete(mesh.node(2).join(await mesh.invite(1, id)))
  await mesh.run(() => stateOf(mesh, 2) === 'active', 'node 2 is in again')
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  await put(mesh, 3, id, ['after', 'secret'])
  await mesh.converge(id, [0, 3])
  mesh.heal()
  await mesh.run(() => [1, 2].every((at) => stateOf(mesh, at) === 'revoked'), 'both know that they are out')
  expect(await get(mesh, 2, id, 'after')).toBe(undefined)
  // It stays so over a restart, and who may lets it in again.
  await mesh.stop(2)
  await mesh.start(2)
  await mesh.run(() => stateOf(mesh, 2) === 'revoked', 'it still says so')
  await mesh.complete(mesh.node(2).join(await mesh.invite(0, id)))
  await mesh.converge(id, [0, 2, 3])
  expect(await get(mesh, 2, id, 'after')).toBe('secret')
})

/** Node 1 is let in, and removed before anything of the store came to it. */
async function removedEarly(seed: number): Promise<{ mesh: SimMesh; id: StoreId; joined: Promise<unknown> }> {
  const mesh = await createSimMesh({ seed, nodes: 3 })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  await put(mesh, 0, id, ['k', 'v'])
  await mesh.complete(mesh.node(2).join(await mesh.invite(0, id)))
  const token = await mesh.invite(0, id)
  const joined = mesh.node(1).join(token)
  joined.catch(() => undefined)
  await mesh.run(() => mesh.node(1).stores().length > 0, 'it was let in')
  mesh.partition([0, 2], [1])
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  await mesh.converge(id, [0, 2])
  return { mesh, id, joined }
}
const stateOf = (mesh: SimMesh, index: number): unknown => mesh.node(index).stores()[0]?.state

test('a peer that is removed before it has fetched the store learns it, and whoever waits is told', async () => {
  const { mesh, id, joined } = await removedEarly(14)
  await using _ = mesh
  expect(stateOf(mesh, 1)).toBe('bootstrapping')
  mesh.heal()
  await expect(mesh.complete(joined)).rejects.toMatchObject({ code: 'NOT_ADMITTED' })
  await mesh.run(() => stateOf(mesh, 1) === 'revoked', 'it says so itself')
  expect(removals(mesh, 1, id, 1)).toEqual(removals(mesh, 0, id, 1))
  await put(mesh, 0, id, ['after', 'secret'])
  await mesh.converge(id, [0, 2])
  await mesh.time.pass(60_000)
  expect(await get(mesh, 1, id, 'after')).toBe(undefined)
  // It stays so over a restart, and an invite lets it in again.
  await mesh.stop(1)
  await mesh.start(1)
  await mesh.run(() => stateOf(mesh, 1) === 'revoked', 'it still says so')
  await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
  await mesh.converge(id)
  expect(await get(mesh, 1, id, 'after')).toBe('secret')
})

test('it learns it also where the history of that was cut, and nothing of the store', async () => {
  const { mesh, id, joined } = await removedEarly(16)
  await using _ = mesh
  await mesh.complete(mesh.store(0, id).kernel().submitEpoch({ kind: 'prune' }))
  await mesh.run(() => [0, 2].every((index) => mesh.store(index, id).kernel().base() !== undefined), 'it is cut')
  mesh.heal()
  await expect(mesh.complete(joined)).rejects.toMatchObject({ code: 'NOT_ADMITTED' })
  await mesh.run(() => stateOf(mesh, 1) === 'revoked', 'it says so itself')
  expect(removals(mesh, 1, id, 1)).toEqual(removals(mesh, 0, id, 1))
  await put(mesh, 0, id, ['after', 'secret'])
  await mesh.converge(id, [0, 2])
  await mesh.time.pass(60_000)
  expect(mesh.store(1, id).kernel().stats().witnessCount).toBe(0)
  expect((await mesh.complete(mesh.store(1, id).verify())).outcome).toBe('sound')
  await mesh.stop(1)
  await mesh.start(1)
  await mesh.run(() => stateOf(mesh, 1) === 'revoked', 'it still says so')
  await mesh.complete(mesh.node(1).join(await mesh.invite(0, id)))
  await mesh.converge(id)
  expect(await get(mesh, 1, id, 'after')).toBe('secret')
})

test('one that crashes as it learns it asks again', async () => {
  const { mesh, id } = await removedEarly(15)
  await using _ = mesh
  const crashed = mesh.crashAt(1, 'committed', 1)
  mesh.heal()
  await mesh.run(crashed, 'it crashed')
  await mesh.start(1)
  await mesh.run(() => stateOf(mesh, 1) === 'revoked', 'it says so itself')
  expect(removals(mesh, 1, id, 1)).toEqual(removals(mesh, 0, id, 1))
})
