/** What a node tells of an epoch on its way: whom it waits for, whenever that is somebody else, and that it is settled. */
import { compareBytes, isLagged, type StoreId, toHex } from '@lattice/model'
import type { NodeEvent } from '@lattice/node'
import { system } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { isAlone, keyOf, put, shareFamily } from './support.ts'

/** What a node tells of the epochs of a store from now on: how many it waits for, by name, or that it is settled. */
function follow(mesh: SimMesh, index: number, id: StoreId): string[] {
  const told: string[] = []
  const nameOf = new Map(mesh.peers.map((_, each) => [keyOf(mesh, each), each]))
  const tell = (event: NodeEvent): void => {
    if (event.kind !== 'epoch_waiting' && event.kind !== 'epoch_settled') return
    if (toHex(event.storeId) !== toHex(id)) return
    if (event.kind === 'epoch_settled') told.push(`${event.seq} is settled`)
    else told.push(`${event.seq} waits for ${event.waitingFor.map((key) => nameOf.get(toHex(key))).join(' ')}`)
  }
  const read = async (): Promise<void> => {
    for await (const event of mesh.node(index).events(new AbortController().signal)) if (!isLagged(event)) tell(event)
  }
  read().catch(() => undefined)
  return told
}

/** Of the nodes, in the order of their keys. */
const sorted = (mesh: SimMesh, indices: readonly number[]): string =>
  indices.toSorted((a, b) => compareBytes(mesh.node(a).id, mesh.node(b).id)).join(' ')

test('a peer that is away is named once it is the one that an epoch waits for, until it is back', async () => {
  const mesh = await createSimMesh({ seed: 'away', nodes: 3 })
  await using _ = mesh
  const id = await mesh.share('team')
  await mesh.converge(id)
  mesh.partition([0, 1], [2])
  await mesh.run(() => isAlone(mesh, 2, id), 'node 2 is away')
  const [told, others] = [follow(mesh, 0, id), follow(mesh, 1, id)]
  const epoch = await mesh.complete(mesh.store(0, id).kernel().submitEpoch({ kind: 'initial' }))
  const { seq } = mesh.store(0, id).kernel().epoch(epoch) ?? {}
  await mesh.run(() => told.length > 1 && others.length > 1, 'both know who is away')
  for (let n = 0; n < 5; n += 1) await put(mesh, n % 2, id, [`k${n}`, 'v'])
  await mesh.converge(id, [0, 1])
  const waiting = [`${seq} waits for ${sorted(mesh, [1, 2])}`, `${seq} waits for 2`]
  expect(told).toEqual(waiting)
  const { unsettled } = mesh.store(0, id).status()
  expect(unsettled).toMatchObject({ id: epoch, waitingFor: [mesh.node(2).id] })
  // So it is told by a node that others wait for.
  expect(others.at(-1)).toBe(`${seq} waits for 2`)
  mesh.heal()
  await mesh.run(() => told.length > 2 && others.at(-1) !== `${seq} waits for 2`, 'it is back')
  expect(told).toEqual([...waiting, `${seq} is settled`])
  expect(mesh.store(0, id).status().unsettled).toBeUndefined()
  expect(others.at(-1)).toBe(`${seq} is settled`)
})

test('in a store below, a peer that is passed over above is waited for no more, with nothing written there', async () => {
  const mesh = await createSimMesh({ seed: 'above', nodes: 3 })
  await using _ = mesh
  const { root, notes } = await shareFamily(mesh)
  for (const id of [root, notes]) await mesh.converge(id)
  mesh.partition([0, 1], [2])
  await mesh.run(() => isAlone(mesh, 2, root), 'node 2 is away')
  const told = follow(mesh, 0, notes)
  const epoch = await mesh.complete(mesh.store(0, notes).kernel().submitEpoch({ kind: 'initial' }))
  const { seq } = mesh.store(0, notes).kernel().epoch(epoch) ?? {}
  await mesh.run(() => told.at(-1) === `${seq} waits for 2`, 'it waits for node 2')
  await mesh.time.pass(60_000)
  const head = mesh.store(0, notes).kernel().projection().headSeq
  await mesh.complete(mesh.store(0, root).setPeerStatus(keyOf(mesh, 2), system.PeerStatus.DORMANT))
  await mesh.run(() => told.at(-1) === `${seq} is settled`, 'it is settled')
  expect(mesh.store(0, notes).kernel().projection().headSeq).toBe(head)
  await mesh.complete(mesh.store(0, root).setPeerStatus(keyOf(mesh, 2), system.PeerStatus.ACTIVE))
  await mesh.run(() => told.at(-1) === `${seq} waits for 2`, 'it is waited for again')
})
