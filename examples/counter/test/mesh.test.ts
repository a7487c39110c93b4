import type { StoreId } from '@lattice/model'
import type { Client, StateMachine } from '@lattice/store-base'
import { createSimMesh, type SimMesh } from '@lattice/testkit'
import { expect, test } from 'vitest'
import { counterStore } from '../src/counter-store.ts'
import type { Counter } from '../src/gen/counter_pb.ts'

const openersOf = (machine: StateMachine) => new Map([[machine.storeType, () => machine]])

/** The program before resets: as the node sees it, a machine that knows schema 1. */
const older: StateMachine = { ...counterStore, schemaVersion: 1 }

async function share(mesh: SimMesh): Promise<StoreId> {
  const { id } = await mesh.complete(mesh.node(0).createStore({ storeType: counterStore.storeType }))
  for (const index of [1, 2]) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
  return id
}

const countersOf = (mesh: SimMesh, index: number, id: StoreId): Client<typeof Counter> =>
  mesh.store(index, id).open(counterStore)

async function valuesOf(mesh: SimMesh, id: StoreId): Promise<readonly bigint[]> {
  const values = [0, 1, 2].map((index) => countersOf(mesh, index, id).get({ name: 'visits' }))
  return (await Promise.all(values)).map(({ value }) => value)
}

test('three nodes count over a partition, a crash and a reset, and agree', async () => {
  await using mesh = await createSimMesh({ seed: 1, nodes: 3, openers: openersOf(counterStore) })
  const id = await share(mesh)
  mesh.partition([0], [1, 2])
  for (const index of [0, 1, 2]) await mesh.complete(countersOf(mesh, index, id).add({ name: 'visits', by: 10n }))
  mesh.heal()
  await mesh.converge(id)
  expect(await valuesOf(mesh, id)).toEqual([30n, 30n, 30n])

  mesh.partition([0], [1, 2])
  await mesh.complete(countersOf(mesh, 1, id).reset({ name: 'visits' }))
  await mesh.converge(id, [1, 2])
  await mesh.complete(countersOf(mesh, 2, id).add({ name: 'visits', by: 4n }))
  // It has not seen the reset, and does not count once it is seen.
  await mesh.complete(countersOf(mesh, 0, id).add({ name: 'visits', by: 100n }))
  mesh.crash(2)
  await mesh.start(2)
  mesh.heal()
  await mesh.converge(id)
  expect(await valuesOf(mesh, id)).toEqual([4n, 4n, 4n])
})

test('an upgrade stops nobody: first the programs, then the schema, and who comes late catches up', async () => {
  await using mesh = await createSimMesh({ seed: 2, nodes: 3, openers: openersOf(older) })
  const id = await share(mesh)
  await mesh.complete(countersOf(mesh, 2, id).add({ name: 'visits', by: 5n }))
  for (const index of [0, 1]) {
    await mesh.stop(index)
    await mesh.start(index, { openers: openersOf(counterStore) })
  }
  // Newer programs write as the older did, and refuse what it could not read.
  await mesh.complete(countersOf(mesh, 0, id).add({ name: 'visits' }))
  await mesh.converge(id)
  expect(await valuesOf(mesh, id)).toEqual([6n, 6n, 6n])
  await expect(mesh.complete(countersOf(mesh, 1, id).reset({ name: 'visits' }))).rejects.toThrow('activate schema 2')

  await mesh.complete(mesh.store(0, id).activateSchema(2))
  await mesh.converge(id)
  await mesh.complete(countersOf(mesh, 1, id).reset({ name: 'visits' }))
  await mesh.converge(id, [0, 1])
  const stalled = () => mesh.store(2, id).status().projection.stalled
  await mesh.run(() => stalled() !== undefined, 'the older program stalls')
  expect(stalled()?.error).toMatchObject({ code: 'SCHEMA_TOO_NEW' })
  expect(await valuesOf(mesh, id)).toEqual([0n, 0n, 6n])

  await mesh.stop(2)
  await mesh.start(2, { openers: openersOf(counterStore) })
  await mesh.complete(countersOf(mesh, 2, id).add({ name: 'visits', by: 2n }))
  await mesh.converge(id)
  expect(await valuesOf(mesh, id)).toEqual([2n, 2n, 2n])
})
