/** A store whose history was cut, with one below that has its peers and was cut as well: who joins gets both. */
import { equalBytes, type StoreId, toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, isAlone, keyOf, put, shareFamily, stateOf } from './support.ts'

const kernelOf = (mesh: SimMesh, index: number, id: StoreId) => mesh.store(index, id).kernel()

async function prune(mesh: SimMesh, id: StoreId, indices: readonly number[]): Promise<void> {
  const { epoch } = await mesh.complete(mesh.store(indices[0] ?? 0, id).prune())
  const isCut = (index: number): boolean =>
    epoch !== undefined && equalBytes(kernelOf(mesh, index, id).base()?.epoch ?? new Uint8Array(0), epoch.id)
  await mesh.run(() => indices.every(isCut), 'the history is cut everywhere')
}

/** The root of the state that each signs at an epoch made now: they agree. */
async function expectSameRoots(mesh: SimMesh, id: StoreId, indices: readonly number[]): Promise<void> {
  const epoch = await mesh.complete(kernelOf(mesh, 0, id).submitEpoch({ kind: 'initial' }))
  const statusOf = (index: number) =>
    kernelOf(mesh, index, id)
      .epochs()
      .find((each) => equalBytes(each.id, epoch))
  await mesh.run(() => indices.every((index) => statusOf(index)?.roots.length === indices.length), 'all have signed')
  for (const index of indices) {
    expect(statusOf(index)).toMatchObject({ isFinal: true, isDiverged: false })
    const roots = statusOf(index)?.roots.map(({ root }) => toHex(root))
    expect(new Set(roots).size).toBe(1)
  }
}

/** Nodes 0 to 2 with a root and a store below it, each with overwrites; node 3 is new. */
async function family(seed: string) {
  const mesh = await createSimMesh({ seed, nodes: 4, discovery: true })
  const { root, notes } = await shareFamily(mesh, [0, 1, 2])
  const all = [root, notes]
  for (const id of all) {
    for (let n = 0; n < 6; n += 1) await put(mesh, n % 3, id, [`k${n % 4}`, `of ${n}`])
    await mesh.converge(id, [0, 1, 2])
  }
  return { mesh, root, notes, all }
}

test('who joins a root whose history was cut, as was that of the store below, gets both and goes on', async () => {
  const { mesh, root, notes, all } = await family('join all')
  await using _ = mesh
  for (const id of all) await prune(mesh, id, [0, 1, 2])
  for (const id of all) await put(mesh, 1, id, ['after', 'v'])
  await mesh.complete(mesh.node(3).join(await mesh.invite(0, root)))
  await mesh.run(() => all.every((id) => stateOf(mesh, 3, id) === 'active'), 'all of them are here')
  for (const id of all) await mesh.converge(id)
  for (const id of all) {
    expect(kernelOf(mesh, 3, id).base()?.epoch).toEqual(kernelOf(mesh, 0, id).base()?.epoch)
    for (let n = 0; n < 4; n += 1) expect(await get(mesh, 3, id, `k${n}`)).toBe(await get(mesh, 0, id, `k${n}`))
    expect(await get(mesh, 3, id, 'after')).toBe('v')
  }
  await put(mesh, 3, notes, ['k0', 'by the joiner'])
  await mesh.converge(notes)
  for (const id of all) await expectSameRoots(mesh, id, [0, 1, 2, 3])
  await mesh.restart(3)
  for (const id of all) await mesh.converge(id)
})

test('a removal that the store below followed before it was cut holds for who joins after it', async () => {
  const { mesh, root, notes, all } = await family('join after')
  await using _ = mesh
  await mesh.complete(mesh.store(0, root).revokePeer(keyOf(mesh, 2)))
  const followed = (index: number): boolean => kernelOf(mesh, index, notes).membership().limited().length === 1
  await mesh.run(() => [0, 1].every(followed), 'the children have followed')
  for (const id of all) await mesh.converge(id, [0, 1])
  for (const id of all) await prune(mesh, id, [0, 1])
  await mesh.complete(mesh.node(3).join(await mesh.invite(0, root)))
  await mesh.run(() => all.every((id) => stateOf(mesh, 3, id) === 'active'), 'all of them are here')
  for (const id of all) {
    await mesh.converge(id, [0, 1, 3])
    expect(kernelOf(mesh, 3, id).membership().limited()).toEqual([mesh.node(2).id])
  }
  expect(await codeOf(mesh, put(mesh, 2, notes, ['no', 'more']))).toBe('REVOKED')
})

test('who was away while the root and the store below were cut comes back to both', async () => {
  const { mesh, root, all } = await family('back to all')
  await using _ = mesh
  await mesh.complete(mesh.node(3).join(await mesh.invite(0, root)))
  await mesh.run(() => all.every((id) => stateOf(mesh, 3, id) === 'active'), 'all of them are here')
  for (const id of all) await mesh.converge(id)
  await mesh.complete(mesh.store(0, root).setPeerStatus('node-3', system.PeerStatus.DORMANT))
  for (const id of all) await mesh.converge(id)
  await mesh.stop(3)
  for (const id of all) {
    for (let n = 0; n < 5; n += 1) await put(mesh, n % 3, id, [`k${n % 4}`, `then ${n}`])
    await mesh.converge(id, [0, 1, 2])
    await prune(mesh, id, [0, 1, 2])
  }
  await mesh.start(3)
  for (const id of all) await mesh.converge(id)
  for (const id of all) {
    expect(kernelOf(mesh, 3, id).base()?.epoch).toEqual(kernelOf(mesh, 0, id).base()?.epoch)
    expect(await get(mesh, 3, id, 'k0')).toBe(await get(mesh, 0, id, 'k0'))
  }
  await put(mesh, 3, all[1] ?? root, ['back', 'yes'])
  for (const id of all) await mesh.converge(id)
})

/**
 * Node 1 removes node 2, and the store below follows; node 0 has taken the right to from node 1 at the same time. `again`:
 * and given it back at once.
 */
async function followedInVain(seed: string, again = false) {
  const { mesh, root, notes, all } = await family(seed)
  await mesh.complete(mesh.store(0, root).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
  for (const id of all) await mesh.converge(id, [0, 1, 2])
  mesh.partition([0], [1, 2])
  await mesh.run(() => isAlone(mesh, 0, root), 'node 0 is alone')
  await mesh.complete(mesh.store(1, root).revokePeer(keyOf(mesh, 2)))
  const limited = (index: number): number => kernelOf(mesh, index, notes).membership().limited().length
  await mesh.run(() => limited(1) === 1, 'the store below has followed')
  const roles = [system.Role.WRITER, ...(again ? [system.Role.ADMIN] : [])]
  await mesh.complete(Promise.all(roles.map(async (role) => mesh.store(0, root).setPeerRole(keyOf(mesh, 1), role))))
  const isVoid = (index: number): boolean =>
    kernelOf(mesh, index, notes)
      .epochs()
      .some(({ cause, fault }) => cause.kind === 'parent' && fault === 'parent_void')
  return { mesh, root, notes, all, isVoid }
}

test('a removal that the store below followed, and that turns out void, holds up nothing there', async () => {
  const { mesh, root, notes, all, isVoid } = await followedInVain('void above')
  await using _ = mesh
  mesh.heal()
  await mesh.run(() => [0, 1, 2].every(isVoid), 'all know that it counts for nothing')
  for (const id of all) await mesh.converge(id, [0, 1, 2])
  await put(mesh, 2, notes, ['k0', 'still in'])
  await mesh.converge(notes, [0, 1, 2])
  await prune(mesh, notes, [0, 1, 2])
  await mesh.complete(mesh.node(3).join(await mesh.invite(0, root)))
  await mesh.run(() => all.every((id) => stateOf(mesh, 3, id) === 'active'), 'who joins has both')
  expect(await get(mesh, 3, notes, 'k0')).toBe('still in')
  for (const id of all) await mesh.converge(id)
  await expectSameRoots(mesh, notes, [0, 1, 2, 3])
})

test('nor where nothing stands removed any more by the time that is known', async () => {
  const { mesh, root, notes, all, isVoid } = await followedInVain('void above, and given back', true)
  await using _ = mesh
  mesh.heal()
  await mesh.run(() => [0, 1, 2].every(isVoid), 'all know that it counts for nothing')
  for (const id of all) await mesh.converge(id, [0, 1, 2])
  await prune(mesh, notes, [0, 1, 2])
  expect(kernelOf(mesh, 0, root).membership().limited()).toEqual([mesh.node(1).id])
  await expectSameRoots(mesh, notes, [0, 1, 2])
})

test('a removal that the store below followed, and was cut above before it turned out void, is left as it is there', async () => {
  const { mesh, root, notes, all } = await family('cut above what is void')
  await using _ = mesh
  await mesh.complete(mesh.store(0, root).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
  for (const id of all) await mesh.converge(id, [0, 1, 2])
  mesh.partition([0], [1, 2])
  await mesh.run(() => isAlone(mesh, 0, root), 'node 0 is alone')
  await mesh.complete(mesh.store(1, root).revokePeer(keyOf(mesh, 0)))
  for (const index of [1, 2]) {
    const followed = (): boolean => kernelOf(mesh, index, notes).membership().limited().length === 1
    await mesh.run(followed, 'the store below has followed')
  }
  await put(mesh, 2, notes, ['k0', 'while apart'])
  await mesh.converge(notes, [1, 2])
  await prune(mesh, notes, [1, 2])
  await mesh.complete(mesh.store(0, root).revokePeer(keyOf(mesh, 1)))
  mesh.heal()
  for (const id of all) await mesh.converge(id, [0, 2])
  expect(kernelOf(mesh, 2, root).membership().limited()).toEqual([mesh.node(1).id])
  // Whose history had been whole goes on from the state that the others have signed.
  expect(await get(mesh, 0, notes, 'k0')).toBe('while apart')
  await mesh.run(() => mesh.store(0, notes).status().held === undefined, 'it may write again')
  await put(mesh, 0, notes, ['k1', 'together'])
  await mesh.converge(notes, [0, 2])
  expect(await get(mesh, 2, notes, 'k1')).toBe('together')
  await prune(mesh, notes, [0, 2])
  await mesh.complete(mesh.node(3).join(await mesh.invite(0, root)))
  await mesh.run(() => all.every((id) => stateOf(mesh, 3, id) === 'active'), 'who joins has both')
  for (const id of all) await mesh.converge(id, [0, 2, 3])
  await expectSameRoots(mesh, notes, [0, 2, 3])
  await mesh.restart(2)
  for (const id of all) await mesh.converge(id, [0, 2, 3])
})
