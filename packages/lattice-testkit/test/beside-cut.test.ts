/** A peer that nobody waits for writes beside an epoch at which the others cut history. */
import { equalBytes, idKey, type StoreId, toHex } from '@lattice/model'
import type { NodeEvent } from '@lattice/node'
import { system } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, put } from './support.ts'

const baseOf = (mesh: SimMesh, index: number, id: StoreId): string => {
  const base = mesh.store(index, id).kernel().base()
  return base === undefined ? '' : toHex(base.epoch)
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

test.each([
  { writes: [['mine', 'new']], what: 'of a new key' },
  { writes: [['k0', 'over the old']], what: 'over what is deleted' },
] as const)('a write $what beside the cut is told, and all come to the same', async ({ writes, what }) => {
  const mesh = await createSimMesh({ seed: `beside ${what}`, nodes: 3, discovery: true })
  await using _ = mesh
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  for (const index of [1, 2]) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
  for (let n = 0; n < 9; n += 1) await put(mesh, n % 3, id, [`k${n % 4}`, `of ${n}`])
  await mesh.converge(id)
  await mesh.complete(mesh.store(0, id).setPeerStatus('node-2', system.PeerStatus.DORMANT))
  await mesh.converge(id)
  mesh.partition([0, 1], [2])
  for (const [key, value] of writes) await put(mesh, 2, id, [key, value])
  await put(mesh, 0, id, ['k0', 'newer'])
  const epoch = await mesh.complete(mesh.store(0, id).kernel().submitEpoch({ kind: 'prune' }))
  const isCut = (index: number): boolean =>
    baseOf(mesh, index, id) === toHex(epoch) && mesh.store(index, id).kernel().pruning().state === 'idle'
  await mesh.run(() => [0, 1].every(isCut), 'the others have cut it')
  const events = follow(mesh, 2)
  mesh.heal()
  await mesh.run(() => isCut(2), 'it has come to the same base')
  await mesh.converge(id)
  const digests = await Promise.all(
    [0, 1, 2].map((index) => mesh.complete(mesh.store(index, id).kernel().stateDigest())),
  )
  expect(new Set(digests.map(toHex)).size).toBe(1)
  const returns = (): readonly NodeEvent[] => events.filter((event) => 'kind' in event && event.kind === 'returned')
  expect(returns()).toHaveLength(1)
  for (const [key, value] of writes) {
    const stranded = returns().some((event) => 'waiting' in event && Number(event.waiting) > 0)
    expect(stranded || (await get(mesh, 0, id, key)) === value).toBe(true)
  }
  // It goes on, once it has compared with a peer what it had to put aside, and a later prune includes it.
  await mesh.run(() => mesh.store(2, id).status().held === undefined, 'it may write again')
  await put(mesh, 2, id, ['later', 'v'])
  await mesh.converge(id)
  expect(await get(mesh, 0, id, 'later')).toBe('v')
  const next = await mesh.complete(mesh.store(0, id).kernel().submitEpoch({ kind: 'prune' }))
  await mesh.run(
    () =>
      [0, 1, 2].every((index) => equalBytes(mesh.store(index, id).kernel().base()?.epoch ?? new Uint8Array(0), next)),
    'all cut again',
  )
  await mesh.converge(id)
  expect(returns()).toHaveLength(1)
  expect(
    mesh
      .node(2)
      .stores()
      .some((store) => idKey(store.id) === idKey(id)),
  ).toBe(true)
})
