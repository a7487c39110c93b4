/** Whoever follows an epoch hears how it ends: settled, or without effect; and what is waited for until then. */
import type { IntentionId, StoreId } from '@lattice/model'
import { system } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { isAlone, keyOf, put, shareFamily } from './support.ts'

const kernelOf = (mesh: SimMesh, index: number, id: StoreId) => mesh.store(index, id).kernel()

/** Nodes 0 (creator), 1 and 2; 0 and 1 are admins and away from each other, 1 with 2. */
async function parted(seed: string) {
  const mesh = await createSimMesh({ seed, nodes: 3 })
  const id = await mesh.share('team')
  await mesh.complete(mesh.store(0, id).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
  await put(mesh, 1, id, ['k', 'v'])
  await mesh.converge(id)
  mesh.partition([0], [1, 2])
  await mesh.run(() => isAlone(mesh, 0, id), 'the creator is away')
  return { mesh, id }
}

async function allOf<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

const epochsOf = (mesh: SimMesh, index: number, id: StoreId, epoch: IntentionId) =>
  allOf(mesh.store(index, id).followEpoch(epoch, new AbortController().signal))

const pruningsOf = (mesh: SimMesh, index: number, id: StoreId, epoch: IntentionId) =>
  allOf(mesh.store(index, id).followPruning(epoch, new AbortController().signal))

test('a revocation that a senior outranked is told as one without effect, and that is the end', async () => {
  const { mesh, id } = await parted('outranked')
  await using _ = mesh
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  const { epoch } = await mesh.complete(mesh.store(1, id).revokePeer(keyOf(mesh, 0)))
  const followed = epochsOf(mesh, 1, id, epoch.id)
  mesh.heal()
  const told = await mesh.complete(followed)
  expect(told[0]).toMatchObject({ fault: undefined, isSettled: false, waitingFor: [mesh.node(2).id] })
  expect(told.at(-1)).toMatchObject({ fault: 'outranked', isSettled: false, waitingFor: [] })
  // So it is for who asks only now.
  expect(await mesh.complete(epochsOf(mesh, 1, id, epoch.id))).toMatchObject([{ fault: 'outranked' }])
})

test('a prune that a senior outranked is told as one that deletes nothing, and that is the end', async () => {
  const { mesh, id } = await parted('outranked prune')
  await using _ = mesh
  // With node 0 away it waits.
  const { epoch } = await mesh.complete(mesh.store(1, id).prune())
  if (epoch === undefined) throw new Error('there is an epoch')
  const followed = pruningsOf(mesh, 1, id, epoch.id)
  await mesh.complete(mesh.store(0, id).revokePeer(keyOf(mesh, 1)))
  mesh.heal()
  const told = await mesh.complete(followed)
  expect(told[0]).toMatchObject({ state: 'waiting', epoch: epoch.id, ineffective: undefined })
  expect(told.at(-1)).toMatchObject({ base: undefined, ineffective: { id: epoch.id, fault: 'outranked' } })
  expect(await mesh.complete(pruningsOf(mesh, 1, id, epoch.id))).toMatchObject([
    { ineffective: { fault: 'outranked' } },
  ])
})

test('one that may come to count as more of the store above comes is waited for', async () => {
  const mesh = await createSimMesh({ seed: 'more to come', nodes: 3 })
  await using _ = mesh
  const { root, notes } = await shareFamily(mesh)
  for (const id of [root, notes]) await mesh.converge(id)
  mesh.partition([0, 1], [2])
  await mesh.run(() => isAlone(mesh, 2, root), 'node 2 is away')
  await mesh.complete(mesh.store(0, root).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
  await mesh.converge(root, [0, 1])
  const { epoch } = await mesh.complete(mesh.store(1, notes).prune())
  if (epoch === undefined) throw new Error('there is an epoch')
  // The store below comes before what there is to know of the one above.
  const before = new Set(
    kernelOf(mesh, 2, notes)
      .scanWitness(1, 4096)
      .map(({ parsed }) => parsed.id.toString()),
  )
  const news = kernelOf(mesh, 1, notes)
    .scanWitness(1, 4096)
    .filter(({ parsed }) => !before.has(parsed.id.toString()))
  await mesh.complete(
    kernelOf(mesh, 2, notes).ingest(
      news.map(({ parsed }) => parsed),
      undefined,
    ),
  )
  const followed = [epochsOf(mesh, 2, notes, epoch.id), pruningsOf(mesh, 2, notes, epoch.id)] as const
  mesh.heal()
  const [epochs, prunings] = await mesh.complete(Promise.all(followed))
  expect(epochs[0]).toMatchObject({ fault: 'admin_unknown', isSettled: false })
  expect(epochs.at(-1)).toMatchObject({ fault: undefined, isSettled: true })
  expect(prunings[0]).toMatchObject({ state: 'idle', base: undefined, ineffective: { fault: 'admin_unknown' } })
  expect(prunings.at(-1)).toMatchObject({ state: 'idle', base: { epoch: epoch.id }, ineffective: undefined })
})
