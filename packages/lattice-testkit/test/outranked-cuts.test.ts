/** A senior that was away comes back with an epoch that outranks the one at which the others have cut history. */
import { equalBytes, type StoreId, toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, isAlone, keyOf, put, stateOf } from './support.ts'

const kernelOf = (mesh: SimMesh, index: number, id: StoreId) => mesh.store(index, id).kernel()

/** Node 0 is away; node 1, an admin, takes it for dormant and cuts history with 2 and 3; node 4 is new. */
async function cutWithoutSenior(seed: string, { isPlaced }: { readonly isPlaced: boolean }) {
  const mesh = await createSimMesh({ seed, nodes: 5, discovery: true })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  for (const index of [1, 2, 3]) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
  await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
  for (let n = 0; n < 12; n += 1) await put(mesh, n % 4, id, [`k${n % 5}`, `of ${n}`])
  await mesh.converge(id, [0, 1, 2, 3])
  if (isPlaced) {
    // What it makes later cites this, and that stays where its chain ends below the cut.
    await mesh.complete(kernelOf(mesh, 0, id).emitAck())
    await mesh.converge(id, [0, 1, 2, 3])
  }
  mesh.partition([0], [1, 2, 3])
  await mesh.run(() => isAlone(mesh, 0, id), 'the creator is away')
  await mesh.complete(mesh.store(1, id).setPeerStatus(keyOf(mesh, 0), system.PeerStatus.DORMANT))
  const cut = await mesh.complete(kernelOf(mesh, 1, id).submitEpoch({ kind: 'prune' }))
  const isCut = (index: number): boolean => {
    const kernel = kernelOf(mesh, index, id)
    return equalBytes(kernel.base()?.epoch ?? id, cut) && kernel.pruning().state === 'idle'
  }
  await mesh.run(() => [1, 2, 3].every(isCut), 'the others have cut history')
  await put(mesh, 2, id, ['k0', 'after the cut'])
  return { mesh, id, cut, isCut }
}

async function expectSame(mesh: SimMesh, id: StoreId, indices: readonly number[]): Promise<void> {
  const digests = await Promise.all(indices.map((index) => mesh.complete(kernelOf(mesh, index, id).stateDigest())))
  expect(new Set(digests.map(toHex)).size).toBe(1)
}

test('all go on from the cut, the senior that outranks it as well', async () => {
  const { mesh, id, cut, isCut } = await cutWithoutSenior('outranked', { isPlaced: true })
  await using _ = mesh
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  mesh.heal()
  await mesh.run(() => stateOf(mesh, 1, id) === 'revoked', 'who cut it knows that it is out')
  await mesh.converge(id, [0, 2, 3])
  expect(kernelOf(mesh, 0, id).epoch(cut)).toMatchObject({ fault: 'outranked', isFinal: false, mayBegin: true })
  expect([0, 2, 3].every(isCut)).toBe(true)
  expect(await get(mesh, 0, id, 'k0')).toBe('after the cut')
  // So does whoever comes later.
  await mesh.complete(mesh.node(4).join(await mesh.invite(0, id)))
  await put(mesh, 0, id, ['k1', 'by the senior'])
  await mesh.converge(id, [0, 2, 3, 4])
  await expectSame(mesh, id, [0, 2, 3, 4])
})

/** Node 0 has removed node 1 while it was away, and came back without that. */
async function loseRemoval(seed: string) {
  const scene = await cutWithoutSenior(seed, { isPlaced: false })
  const { mesh, id, isCut } = scene
  const { epoch: lost } = await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  mesh.heal()
  await mesh.run(() => isCut(0), 'who was away has come back behind the cut')
  expect(kernelOf(mesh, 0, id).epoch(lost.id)).toBeUndefined()
  expect(mesh.store(0, id).stranded()).toHaveLength(1)
  return scene
}

const back = async (mesh: SimMesh, by: number, id: StoreId) =>
  mesh.complete(mesh.store(by, id).setPeerStatus(keyOf(mesh, 0), system.PeerStatus.ACTIVE))

test('a removal that cannot be placed behind the cut any more is made again', async () => {
  const { mesh, id, cut } = await loseRemoval('lost removal')
  await using _ = mesh
  await back(mesh, 1, id)
  await mesh.run(() => stateOf(mesh, 1, id) === 'revoked', 'who cut it knows that it is out')
  await mesh.converge(id, [0, 2, 3])
  expect(mesh.store(0, id).stranded()).toEqual([])
  expect(kernelOf(mesh, 3, id).epoch(cut)?.fault).toBeUndefined()
  const { status } =
    mesh
      .store(3, id)
      .peers()
      .find(({ publicKey }) => equalBytes(publicKey, mesh.node(1).id)) ?? {}
  expect(status).toBe(system.PeerStatus.REVOKED)
  await expectSame(mesh, id, [0, 2, 3])
})

test('and is not where who was removed is out meanwhile', async () => {
  const { mesh, id } = await loseRemoval('lost and done')
  await using _ = mesh
  await mesh.complete(mesh.store(1, id).setPeerRole(keyOf(mesh, 2), system.Role.ADMIN))
  await mesh.converge(id, [0, 1, 2, 3])
  await mesh.complete(mesh.store(2, id).revokePeer(keyOf(mesh, 1)))
  await back(mesh, 2, id)
  await mesh.run(() => mesh.store(0, id).stranded().length === 0, 'there is nothing to be made again')
  await mesh.converge(id, [0, 2, 3])
  const removals = kernelOf(mesh, 3, id)
    .epochs()
    .filter(({ cause }) => cause.kind === 'membership')
  expect(removals.map(({ author }) => toHex(author))).toEqual([keyOf(mesh, 2)])
})
