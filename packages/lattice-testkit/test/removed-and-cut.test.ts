/** A peer that was removed while it was away, and the history of that cut: it learns of it all the same, and loses nothing. */
import { equalBytes, type StoreId, toHex } from '@lattice/model'
import type { NodeEvent } from '@lattice/node'
import { system } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, put } from './support.ts'

const kernelOf = (mesh: SimMesh, index: number, id: StoreId) => mesh.store(index, id).kernel()
const keyOf = (mesh: SimMesh, index: number): string => toHex(mesh.node(index).id)
const stateOf = (mesh: SimMesh, index: number, id: StoreId): string | undefined =>
  mesh
    .node(index)
    .stores()
    .find((store) => equalBytes(store.id, id))?.state

async function prune(mesh: SimMesh, id: StoreId, indices: readonly number[]): Promise<void> {
  const epoch = await mesh.complete(kernelOf(mesh, indices[0] ?? 0, id).submitEpoch({ kind: 'prune' }))
  const isCut = (index: number): boolean =>
    equalBytes(kernelOf(mesh, index, id).base()?.epoch ?? new Uint8Array(0), epoch)
  await mesh.run(() => indices.every(isCut), 'the history is cut everywhere')
}

const isAlone = (mesh: SimMesh, index: number, id: StoreId): boolean =>
  mesh
    .store(index, id)
    .peers()
    .every(({ self, connected }) => self || !connected)

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

/** Nodes 0 to 3; node 3 is away with writes of its own from here on. */
async function away(seed: string) {
  const mesh = await createSimMesh({ seed, nodes: 4, discovery: true })
  const id = await mesh.share('team')
  for (let n = 0; n < 12; n += 1) await put(mesh, n % 4, id, [`k${n % 5}`, `of ${n}`])
  await put(mesh, 3, id, ['known', 'kept'])
  await mesh.converge(id)
  mesh.partition([0, 1, 2], [3])
  // What is on its way over a connection that stands arrives once it can.
  await mesh.run(() => isAlone(mesh, 3, id), 'node 3 is alone')
  await put(mesh, 3, id, ['apart', 'cut'])
  await put(mesh, 3, id, ['k0', 'cut, too'])
  return { mesh, id }
}

/** The others write, and node 0 does something about node 3 in the middle of that. */
async function meanwhile({ mesh, id }: Awaited<ReturnType<typeof away>>, act: () => Promise<unknown>): Promise<void> {
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
  const cut = mesh.store(3, id).excluded(10)
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
})
