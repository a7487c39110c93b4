import { createAbortController, type PublicKey, toHex } from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import type { Frame } from '../src/frame.ts'
import type { BootstrapPosition } from '../src/session-call.ts'
import { createLogServer } from '../src/serve-log.ts'
import { createMesh, type Mesh } from './mesh.ts'
import { createPair } from './pair.ts'

const open: Mesh[] = []
afterEach(async () => {
  for (const mesh of open.splice(0)) await mesh.close()
})
const { signal } = createAbortController()

async function joinerOf(mesh: Mesh) {
  return mesh.addNode({ register: false, holdsGenesis: false })
}

describe('bootstrap', () => {
  test('fetches a whole store in the order of the log, with progress, and ends synced', async () => {
    const mesh = await createMesh({ nodes: 2 })
    open.push(mesh)
    mesh.connectAll()
    for (let run = 0; run < 12; run += 1) for (const { store } of mesh.nodes) store.write(100)
    await mesh.until('convergence', mesh.converged)
    const joiner = await joinerOf(mesh)
    const progress: { done: number; total: number }[] = []
    const outcome = await mesh.settle(
      joiner.service.bootstrap({
        store: joiner.store,
        peers: [{ peer: mesh.node(1).id, addresses: [] }],
        onProgress: ({ done, total }) => progress.push({ done, total }),
        signal,
      }),
    )
    expect(outcome).toMatchObject({ synced: true, fetched: 2401 })
    expect(progress.at(-1)).toEqual({ done: 2401, total: 2401 })
    expect(progress.length).toBeGreaterThan(1)
    expect(mesh.converged()).toBe(true)
  })

  test('goes on with another peer, and from the position that was kept', async () => {
    const mesh = await createMesh({ nodes: 2 })
    open.push(mesh)
    mesh.connectAll()
    for (let run = 0; run < 12; run += 1) mesh.node(0).store.write(200)
    await mesh.until('convergence', mesh.converged)
    const joiner = await joinerOf(mesh)
    const kept = new Map<string, BootstrapPosition>()
    const positions = {
      load: (peer: PublicKey) => kept.get(toHex(peer)),
      save: (peer: PublicKey, position: BootstrapPosition): void => {
        kept.set(toHex(peer), position)
      },
    }
    const peers = [
      { peer: mesh.node(0).id, addresses: [] },
      { peer: mesh.node(1).id, addresses: [] },
    ]
    // The first peer is lost in the middle.
    const work = joiner.service.bootstrap({
      store: joiner.store,
      peers,
      positions,
      onProgress: ({ peer }) => {
        if (toHex(peer) !== toHex(mesh.node(0).id)) return
        mesh.network.cut(joiner.id, mesh.node(0).id)
        mesh.network.disconnect(joiner.id, mesh.node(0).id)
      },
      signal,
    })
    expect(await mesh.settle(work)).toMatchObject({ peer: mesh.node(1).id, synced: true })
    expect(joiner.store.digest().witnessCount).toBe(2401)
    expect(joiner.store.ingested().intentions).toBe(2401)
    const seen = kept.get(toHex(mesh.node(1).id))
    expect(seen?.seq).toBe(2401)

    const again = await mesh.settle(
      joiner.service.bootstrap({ store: joiner.store, peers: peers.slice(1), positions, signal }),
    )
    expect(again).toMatchObject({ pages: 0, fetched: 0, synced: true })
  })

  test('without a peer that can be reached says so', async () => {
    const mesh = await createMesh({ nodes: 2 })
    open.push(mesh)
    mesh.network.cut(mesh.node(0).id, mesh.node(1).id)
    const peers = [{ peer: mesh.node(1).id, addresses: [] }]
    const work = mesh.node(0).service.bootstrap({ store: mesh.node(0).store, peers, signal })
    await expect(mesh.settle(work)).rejects.toMatchObject({ code: 'BOOTSTRAP_FAILED' })
  })

  test('a store that the peer does not share fails by name, and the peer is not blamed', async () => {
    const mesh = await createMesh({ nodes: 1, register: false })
    open.push(mesh)
    const joiner = await joinerOf(mesh)
    const peers = [{ peer: mesh.node(0).id, addresses: [] }]
    const work = joiner.service.bootstrap({ store: joiner.store, peers, signal })
    await expect(mesh.settle(work)).rejects.toMatchObject({
      code: 'BOOTSTRAP_FAILED',
      cause: { code: 'STORE_NOT_FOUND' },
    })
    expect(joiner.events.some((event) => 'kind' in event && event.kind === 'misbehaviour')).toBe(false)
  })
})

describe('the server of a log', () => {
  test.each<[string, Frame['case'], object, string]>([
    ['a page from nowhere', 'witnessPageRequest', { fromSeq: 0n, limit: 5 }, 'page_from_out_of_range'],
    ['a page of nothing', 'witnessPageRequest', { fromSeq: 1n, limit: 0 }, 'page_limit_out_of_range'],
    ['no ids', 'fetchIntentions', { ids: [] }, 'fetch_ids_out_of_range'],
    ['ids of another length', 'fetchIntentions', { ids: [new Uint8Array(3)] }, 'fetch_id_malformed'],
    ['a chain without a target', 'fetchChain', { limit: 3 }, 'chain_id_malformed'],
    ['a chain of nothing', 'fetchChain', { target: new Uint8Array(32), limit: 0 }, 'chain_limit_out_of_range'],
  ])('refuses %s', async (_, kind, value, why) => {
    const pair = await createPair()
    const server = createLogServer({ resolve: () => pair.viewOfA, pages: true })
    const frame = { case: kind, value: { storeId: pair.a.store.id, ...value } } as never
    const { feed } = await import('./drive.ts')
    expect((await feed(server, [frame])).failure).toEqual({ kind: 'violation', why })
  })

  test('answers a chain oldest first, and nothing of a store that is not shared', async () => {
    const pair = await createPair()
    const run = pair.a.store.write(5)
    const target = run[4]?.id ?? new Uint8Array(32)
    const request = {
      case: 'fetchChain',
      value: { storeId: pair.a.store.id, target, since: run[1]?.id ?? new Uint8Array(0), limit: 100 },
    } as const
    const { feed } = await import('./drive.ts')
    const { sent } = await feed(createLogServer({ resolve: () => pair.viewOfA, pages: false }), [request])
    const [answer] = sent
    expect(answer?.case === 'intentions' && answer.value.intentions.map((x) => toHex(x.intention))).toEqual(
      run.slice(2).map(({ bytes }) => toHex(bytes)),
    )
    const refused = await feed(createLogServer({ resolve: () => undefined, pages: false }), [request])
    expect(refused.failure).toEqual({ kind: 'refuse', refusal: 3, message: 'no such store' })
    const pages = { case: 'witnessPageRequest', value: { storeId: pair.a.store.id, fromSeq: 1n, limit: 9 } } as const
    const noPages = await feed(createLogServer({ resolve: () => pair.viewOfA, pages: false }), [pages])
    expect(noPages.failure).toEqual({ kind: 'violation', why: 'unexpected_witnessPageRequest' })
  })
})
