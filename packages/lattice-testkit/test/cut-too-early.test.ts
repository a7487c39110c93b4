/** One node has cut history that nobody else can cut there, and nobody can begin with what it has. */
import { equalBytes, type ParsedIntention, type StoreId, toHex } from '@lattice/model'
import { system } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, isAlone, put } from './support.ts'

const kernelOf = (mesh: SimMesh, index: number, id: StoreId) => mesh.store(index, id).kernel()
const allOf = (mesh: SimMesh, index: number, id: StoreId): readonly ParsedIntention[] =>
  kernelOf(mesh, index, id)
    .scanWitness(1, 4096)
    .map(({ parsed }) => parsed)

test('it fetches the store anew from those who have the whole history, and all go on', async () => {
  const mesh = await createSimMesh({ seed: 'too early', nodes: 5, discovery: true })
  await using _ = mesh
  const id = await mesh.share('team')
  for (let n = 0; n < 15; n += 1) await put(mesh, n % 5, id, [`k${n % 4}`, `of ${n}`])
  await mesh.converge(id)
  // Nobody waits for these.
  for (const name of ['node-3', 'node-4']) {
    await mesh.complete(mesh.store(0, id).setPeerStatus(name, system.PeerStatus.DORMANT))
  }
  await mesh.converge(id)
  mesh.partition([0], [1], [2], [3], [4])
  await mesh.run(() => [0, 1, 2, 3, 4].every((index) => isAlone(mesh, index, id)), 'each is alone')
  const give = async (to: number, what: readonly ParsedIntention[]): Promise<void> => {
    await mesh.complete(kernelOf(mesh, to, id).ingest(what, undefined))
  }
  // What this one writes cites what will be gone.
  await put(mesh, 3, id, ['beside', 'of node 3'])
  const beside = allOf(mesh, 3, id)
  await put(mesh, 0, id, ['k0', 'before the cut'])
  await put(mesh, 0, id, ['k1', 'before the cut'])
  const cut = await mesh.complete(kernelOf(mesh, 0, id).submitEpoch({ kind: 'prune' }))
  const before = allOf(mesh, 0, id)
  // And what this one writes is beside the next epoch.
  await give(4, before)
  await put(mesh, 4, id, ['late', 'of node 4'])
  const late = allOf(mesh, 4, id)
  const next = await mesh.complete(kernelOf(mesh, 0, id).submitEpoch({ kind: 'initial' }))
  for (const index of [1, 2]) await give(index, allOf(mesh, 0, id))
  const isCut = (index: number): boolean =>
    equalBytes(kernelOf(mesh, index, id).base()?.epoch ?? id, cut) &&
    kernelOf(mesh, index, id).pruning().state === 'idle'
  const hasAcked = (index: number): boolean =>
    allOf(mesh, index, id).some(
      ({ op, intention }) =>
        op.kind === 'epochAck' && equalBytes(op.value.epoch, next) && equalBytes(intention.author, mesh.node(index).id),
    )
  await mesh.run(() => hasAcked(1), 'it has acknowledged both')
  await give(2, allOf(mesh, 1, id))
  await mesh.run(() => isCut(2), 'who hears of that has cut')
  for (const index of [0, 1]) await give(index, beside)
  for (const index of [0, 1, 2]) await give(index, late)
  mesh.partition([0, 1, 2], [3], [4])
  await mesh.run(() => mesh.isConverged(id, [0, 1, 2]), 'the three hold the same', 1_800_000)
  expect(await get(mesh, 2, id, 'beside')).toBe('of node 3')
  expect(await get(mesh, 2, id, 'late')).toBe('of node 4')
  mesh.heal()
  await mesh.converge(id)
  const digests = await Promise.all([0, 2, 3].map((index) => mesh.complete(kernelOf(mesh, index, id).stateDigest())))
  expect(new Set(digests.map(toHex)).size).toBe(1)
  expect((await mesh.complete(kernelOf(mesh, 2, id).verify({ full: true }))).problems).toEqual([])
})
