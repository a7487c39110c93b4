import { createAbortController, equalBytes, idKey, type IntentionId } from '@lattice/model'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { BasesDiffer, BootstrapFailed } from '../src/index.ts'
import { claimTo, comparedWith } from '../src/claimed-digest.ts'
import { createLogServer } from '../src/serve-log.ts'
import { feed } from './drive.ts'
import { type Mesh, type MeshNode, openMesh } from './mesh.ts'
import { viewFor } from '../src/store-registry.ts'

const sessions = ({ events }: MeshNode): number =>
  events.filter((event) => 'kind' in event && event.kind === 'sync_result').length
const returning = ({ events }: MeshNode): readonly unknown[] =>
  events.filter((event) => 'kind' in event && event.kind === 'returning')

function agree(a: MeshNode, b: MeshNode): boolean {
  const claim = claimTo(a.store, b.store.base()?.epoch)
  const ours = comparedWith(b.store, claim)
  return ours !== undefined && equalBytes(ours.fingerprint, claim.fingerprint)
}

/** Node 0 and 1 hold a store and have an epoch; node 2 has only its beginning. */
async function behind(
  seed: string,
): Promise<{ readonly mesh: Mesh; readonly epoch: IntentionId; readonly late: MeshNode }> {
  const mesh = await openMesh({ nodes: 2, seed })
  mesh.connectAll()
  const [first, second] = [mesh.node(0), mesh.node(1)]
  // The latest messages are passed on to a new neighbour, whatever was cut: there are more.
  for (const { store } of [first, second]) for (let run = 0; run < 40; run += 1) store.write(1)
  await mesh.until('both hold the same', mesh.converged)
  const [written] = first.store.write(1)
  if (written === undefined) throw new Error('an epoch was written')
  await mesh.until('the epoch is with both', mesh.converged)
  const late = mesh.addNode()
  for (const { store } of mesh.nodes) store.declare(new Map([[idKey(written.id), 1n]]))
  return { mesh, epoch: written.id, late }
}

describe('peers of whom some have cut their history', () => {
  test('are not reconciled for that alone, and go on converging', async () => {
    const { mesh, epoch } = await behind('some cut')
    const [first, second] = [mesh.node(0), mesh.node(1)]
    await mesh.advance(20_000)
    const before = sessions(first) + sessions(second)
    first.store.prune(epoch)
    await mesh.advance(300_000)
    expect(sessions(first) + sessions(second) - before).toBeLessThanOrEqual(2)
    first.store.write(3)
    second.store.write(3)
    await mesh.until('they agree', () => agree(first, second) && agree(second, first), 20_000)
    expect(second.store.digest().witnessCount).toBeGreaterThan(first.store.digest().witnessCount)
    second.store.prune(epoch)
    second.store.write(1)
    await mesh.until('both have cut, and agree', () => agree(first, second), 20_000)
    expect(first.store.digest()).toMatchObject({ witnessCount: second.store.digest().witnessCount })
  })

  test('tell one that is behind so, once, and are asked no more until it has come back', async () => {
    const { mesh, epoch, late } = await behind('one behind')
    const [first, second] = [mesh.node(0), mesh.node(1)]
    for (const { store } of [first, second]) store.prune(epoch)
    late.service.want(first.id, [])
    late.service.want(second.id, [])
    await mesh.until('it knows', () => returning(late).length > 0)
    expect(returning(late)[0]).toMatchObject({ kind: 'returning', base: epoch, storeId: mesh.storeId })
    first.store.write(2)
    await mesh.advance(600_000)
    expect(sessions(late)).toBeLessThanOrEqual(8)
    expect(sessions(first)).toBeLessThanOrEqual(12)
    expect(late.store.digest().witnessCount).toBe(1)
    const misdeeds = mesh.nodes.flatMap(({ events }) =>
      events.filter((event) => 'kind' in event && event.kind === 'misbehaviour'),
    )
    expect(misdeeds).toEqual([])
    // It takes the other way, and is a peer like any.
    const items = first.store.readFoundation(epoch, 0, Number.MAX_SAFE_INTEGER)?.items ?? []
    await mesh.settle(late.service.unregister(mesh.storeId))
    late.store.found(items)
    late.service.register(late.store)
    await mesh.until('all hold the same', mesh.converged, 20_000)
    late.store.write(1)
    await mesh.until('also what it writes', mesh.converged, 20_000)
  })
})

describe('what lies below a cut', () => {
  test('is not served in pages, and who asks for it is told what to do instead', async () => {
    const { mesh, epoch, late } = await behind('pages')
    const { store } = mesh.node(0)
    store.prune(epoch)
    const server = createLogServer({ resolve: () => viewFor(store, late.id, () => true), pages: true })
    const request = { case: 'witnessPageRequest', value: { storeId: mesh.storeId, fromSeq: 1n, limit: 10 } } as const
    expect((await feed(server, [request])).failure).toMatchObject({ kind: 'refuse', refusal: net.RefusalCode.PRUNED })
    const asked = mesh.settle(
      late.service.bootstrap({
        store: late.store,
        peers: [{ peer: mesh.node(0).id, addresses: [] }],
        signal: createAbortController().signal,
      }),
    )
    await expect(asked).rejects.toBeInstanceOf(BootstrapFailed)
    await expect(asked).rejects.toMatchObject({ detail: { codes: ['PRUNED'] } })
  })

  test('is left out of an answer to who lacks it, with the base that says why', async () => {
    const { mesh, epoch, late } = await behind('causes')
    const { store } = mesh.node(0)
    const [gone] = store.ids().slice(2)
    store.prune(epoch)
    const server = createLogServer({ resolve: () => viewFor(store, late.id, () => true), pages: false })
    const ids = gone === undefined ? [] : [gone]
    const { sent } = await feed(server, [{ case: 'fetchIntentions', value: { storeId: mesh.storeId, ids } }])
    expect(sent).toMatchObject([{ case: 'intentions', value: { intentions: [], last: true, base: epoch } }])
  })

  test('is not looked for again and again by who lacks it: it learns that it is behind, and nobody is blamed', async () => {
    const { mesh, epoch, late } = await behind('gap')
    const [first] = mesh.nodes
    if (first === undefined) throw new Error('the first node')
    first.store.prune(epoch)
    late.service.want(first.id, [])
    await mesh.advance(30_000)
    const fetched = sessions(late)
    // Each write floats there for want of what is gone.
    for (let n = 0; n < 5; n += 1) {
      first.store.write(1)
      await mesh.advance(20_000)
    }
    expect(returning(late).length).toBeGreaterThan(0)
    expect(sessions(late) - fetched).toBeLessThanOrEqual(5)
    const blamed = late.events.filter((event) => 'kind' in event && event.kind === 'misbehaviour')
    expect(blamed).toEqual([])
  })
})

test('who has to come back is told in words', () => {
  const base = undefined
  expect(new BasesDiffer({ returning: 'us', base })).toMatchObject({ code: 'PRUNED' })
  expect(new BasesDiffer({ returning: 'peer', base })).toMatchObject({ code: 'BASE_UNKNOWN' })
})
