import { createAbortController, type PublicKey, toHex, toIntentionId } from '@lattice/model'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import type { Frame, FrameInit } from '../src/frame.ts'
import type { BootstrapPosition } from '../src/session-call.ts'
import { createLogServer } from '../src/serve-log.ts'
import { DEFAULT_LIMITS } from '../src/limits.ts'
import { type Mesh, openMesh } from './mesh.ts'
import type { ModelStore } from './model-store.ts'
import { feed } from './drive.ts'
import { createPair } from './pair.ts'

const { signal } = createAbortController()

async function joinerOf(mesh: Mesh) {
  return mesh.addNode({ register: false, holdsGenesis: false })
}

describe('bootstrap', () => {
  test('fetches a whole store in the order of the log, with progress, and ends synced', async () => {
    const mesh = await openMesh({ nodes: 2 })
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
    const mesh = await openMesh({ nodes: 2 })
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
    const mesh = await openMesh({ nodes: 2 })
    mesh.network.cut(mesh.node(0).id, mesh.node(1).id)
    const peers = [{ peer: mesh.node(1).id, addresses: [] }]
    const work = mesh.node(0).service.bootstrap({ store: mesh.node(0).store, peers, signal })
    await expect(mesh.settle(work)).rejects.toMatchObject({ code: 'BOOTSTRAP_FAILED' })
  })

  test.each<[string, (store: ModelStore) => Partial<ModelStore>, string]>([
    [
      'a page',
      (store) => ({
        witnessPage: (fromSeq, limit) => {
          const page = store.witnessPage(fromSeq, limit)
          return { ...page, records: page.records.toReversed() }
        },
      }),
      'page_wrong_seq',
    ],
    [
      'an intention',
      (store) => ({
        read: (ids, maxBytes) => {
          const read = store.read(ids, maxBytes)
          const forged = read.intentions.map(({ bytes, signature }) => ({
            bytes,
            signature: signature.map((b) => b ^ 1),
          }))
          return { ...read, intentions: forged }
        },
      }),
      'bad_signature',
    ],
  ])(
    'of two peers, one that forges %s is scored and shut out, and the other serves the store',
    async (_, forge, why) => {
      const mesh = await openMesh({ nodes: 2 })
      mesh.connectAll()
      for (let run = 0; run < 6; run += 1) mesh.node(0).store.write(200)
      await mesh.until('convergence', mesh.converged)
      const [hostile, honest] = [mesh.node(0), mesh.node(1)]
      await hostile.service.unregister(mesh.storeId)
      hostile.service.register({ ...hostile.store, ...forge(hostile.store) })
      const joiner = await joinerOf(mesh)
      // The one that is connected first serves the log.
      joiner.service.want(hostile.id, [])
      await mesh.until('a connection', () => joiner.service.connectedPeers().length > 0)
      const peers = [hostile, honest].map(({ id }) => ({ peer: id, addresses: [] }))
      const outcome = await mesh.settle(joiner.service.bootstrap({ store: joiner.store, peers, signal }))
      expect(outcome).toMatchObject({ peer: honest.id, synced: true })
      expect(toHex(joiner.store.digest().fingerprint)).toBe(toHex(honest.store.digest().fingerprint))
      expect(joiner.store.floatingCount()).toBe(0)
      const misdeeds = joiner.events.flatMap((event) =>
        'kind' in event && event.kind === 'misbehaviour' ? [event] : [],
      )
      expect(misdeeds.length).toBeGreaterThan(0)
      for (const { peer, code } of misdeeds) {
        expect(toHex(peer)).toBe(toHex(hostile.id))
        expect(code).toContain(why)
      }
      expect(joiner.service.connectedPeers().map(({ peer }) => toHex(peer))).toEqual([toHex(honest.id)])
    },
  )

  test('one of them that takes for ever costs no more than its deadline', async () => {
    const mesh = await openMesh({ nodes: 3 })
    mesh.connectAll()
    for (let run = 0; run < 10; run += 1) mesh.node(run % 3).store.write(200)
    await mesh.until('convergence', mesh.converged)
    const joiner = await joinerOf(mesh)
    const began = mesh.scheduler.clock.monotonicMs()
    const work = joiner.service.bootstrap({
      store: joiner.store,
      peers: mesh.nodes.slice(0, 3).map(({ id }) => ({ peer: id, addresses: [] })),
      signal,
    })
    await mesh.until('it is under way', () => joiner.store.ingested().calls > 0)
    // Nothing passes between the two; nobody says so.
    mesh.network.cut(joiner.id, mesh.node(0).id)
    expect(await mesh.settle(work)).toMatchObject({ synced: true })
    expect(joiner.store.digest().witnessCount).toBe(mesh.node(1).store.digest().witnessCount)
    expect(mesh.scheduler.clock.monotonicMs() - began).toBeLessThan(4 * DEFAULT_LIMITS.bootstrapOverdueMs)
  })

  test('ends at once when it is aborted, and what is here is of use', async () => {
    const mesh = await openMesh({ nodes: 2 })
    mesh.connectAll()
    for (let run = 0; run < 12; run += 1) mesh.node(0).store.write(200)
    await mesh.until('convergence', mesh.converged)
    const joiner = await joinerOf(mesh)
    const controller = createAbortController()
    const peers = mesh.nodes.slice(0, 2).map(({ id }) => ({ peer: id, addresses: [] }))
    const work = joiner.service.bootstrap({ store: joiner.store, peers, signal: controller.signal })
    await mesh.until('it is under way', () => joiner.store.ingested().calls > 1)
    controller.abort(new Error('enough'))
    await expect(mesh.settle(work)).rejects.toThrow('enough')
    const calls = joiner.store.ingested().calls
    await mesh.advance(60_000)
    expect(joiner.store.ingested().calls).toBe(calls)
    await mesh.settle(joiner.service.bootstrap({ store: joiner.store, peers, signal }))
    expect(mesh.converged()).toBe(true)
  })

  test('a store that the peer does not share fails by name, and the peer is not blamed', async () => {
    const mesh = await openMesh({ nodes: 1, register: false })
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
  test('goes on with the log that it began with, and ends where another has taken its place', async () => {
    const pair = await createPair()
    const [frame] = [
      { case: 'witnessPageRequest', value: { storeId: pair.a.store.id, fromSeq: 1n, limit: 10 } } as const,
    ]
    let inUse = 1
    const resolve = () => {
      const served = inUse
      return { ...pair.viewOfA, allowed: () => inUse === served }
    }
    const first = createLogServer({ resolve, pages: true })
    expect((await feed(first, [frame])).failure).toBeUndefined()
    // It was made anew, and is in use again.
    inUse = 2
    expect((await feed(first, [frame])).failure).toMatchObject({ kind: 'refuse' })
    const next = createLogServer({ resolve, pages: true })
    expect((await feed(next, [frame])).failure).toBeUndefined()
  })

  test('says that it was cut, rather than that it lacks what its pages named', async () => {
    const pair = await createPair()
    const storeId = pair.a.store.id
    const page = { case: 'witnessPageRequest', value: { storeId, fromSeq: 1n, limit: 10 } } as const
    const fetch: FrameInit = { case: 'fetchIntentions', value: { storeId, ids: [storeId] } }
    const log: { base: ReturnType<ModelStore['base']> } = { base: undefined }
    const server = createLogServer({ resolve: () => ({ ...pair.viewOfA, base: () => log.base }), pages: true })
    expect((await feed(server, [page, fetch])).failure).toBeUndefined()
    log.base = { epoch: toIntentionId(storeId.slice()), seq: 1n, goneCount: 1 }
    expect((await feed(server, [fetch])).failure).toMatchObject({ kind: 'refuse', refusal: net.RefusalCode.PRUNED })
  })

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
