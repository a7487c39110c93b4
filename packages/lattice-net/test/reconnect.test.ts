import {
  createAbortController,
  createGenesis,
  idKey,
  parseStoreType,
  type PublicKey,
  toSeed,
  toStoreId,
} from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS, type SyncOutcome } from '../src/index.ts'
import { type Mesh, type MeshNode, openMesh } from './mesh.ts'
import { createModelStore, type ModelStore } from './model-store.ts'

/** More stores of the same content on every node. */
function addStores(mesh: Mesh, count: number): readonly (readonly ModelStore[])[] {
  const random = createSeededRandom('stores')
  const type = parseStoreType('test:model')
  if (!type.ok) throw new Error('a good type')
  const { crypto, scheduler } = mesh
  const { clock } = scheduler
  return Array.from({ length: count }, () => {
    const genesis = createGenesis(crypto, mesh.node(0).signer, {
      storeType: type.value,
      nonce: random.bytes(16),
      timestamp: { wall: clock.wallMs(), counter: 0 },
    })
    return mesh.nodes.map(({ signer, service }) => {
      const store = createModelStore({ crypto, signer, clock, storeId: toStoreId(genesis.id), genesis })
      service.register(store)
      return store
    })
  })
}

function sessionsOf({ events }: MeshNode): readonly SyncOutcome[] {
  return events.flatMap((event) => ('kind' in event && event.kind === 'sync_result' ? [event.outcome] : []))
}

describe('a reconnect', () => {
  test('of two nodes with 200 stores, of which 50 differ, takes one session for each of these, a few at once', async () => {
    const begun = new Map<string, number>()
    const mesh = await openMesh({ nodes: 2, seed: 'two' })
    const [a, b] = [mesh.node(0), mesh.node(1)]
    const stores = addStores(mesh, 199)
    for (const [left, right] of stores.slice(0, 50)) {
      left?.write(2)
      right?.write(3)
    }
    let most = 0
    const running = (): number =>
      stores.filter(([one]) => one !== undefined && a.service.exchange(b.id, one.id).isRunning).length
    a.service.want(b.id, [])
    b.service.want(a.id, [])
    const equal = (): boolean =>
      stores.every(([one, other]) => one?.digest().witnessCount === other?.digest().witnessCount)
    await mesh.until('all are equal', () => {
      most = Math.max(most, running())
      return equal()
    })
    await mesh.advance(60_000)
    for (const outcome of sessionsOf(a)) {
      const key = idKey(outcome.storeId)
      begun.set(key, (begun.get(key) ?? 0) + 1)
    }
    expect(begun.size).toBe(50)
    expect(sessionsOf(a).length).toBeLessThanOrEqual(55)
    expect(sessionsOf(b).length).toBeLessThanOrEqual(55)
    expect(most).toBeLessThanOrEqual(2 * DEFAULT_LIMITS.sessionsPerPeer)
  })

  test('of eight nodes that heal at once takes far fewer sessions than there are pairs and stores', async () => {
    const mesh = await openMesh({ nodes: 8, seed: 'many' })
    const stores = addStores(mesh, 2)
    mesh.connectAll()
    const connected = (): boolean => mesh.nodes.every(({ service }) => service.connectedPeers().length === 7)
    await mesh.until('connections', connected)
    await mesh.advance(10_000)
    mesh.network.partition(mesh.nodes.map(({ id }) => [id]))
    for (const each of [mesh.nodes.map(({ store }) => store), ...stores]) for (const store of each) store.write(2)
    await mesh.advance(15_000)
    for (const node of mesh.nodes) node.events.length = 0
    mesh.network.heal()
    const sets = (): readonly (readonly ModelStore[])[] => [mesh.nodes.map(({ store }) => store), ...stores]
    const converged = (): boolean =>
      sets().every((each) => new Set(each.map((store) => store.digest().witnessCount)).size === 1) && connected()
    await mesh.until('convergence', converged, 300_000)
    await mesh.advance(15_000)
    // Both sides tell of a session.
    const sessions = mesh.nodes.reduce((sum, node) => sum + sessionsOf(node).length, 0) / 2
    // 84 pairs of peers differ at first, in a store each; what one brought need not be had of the next.
    expect(sessions).toBeLessThan(70)
  })
})

describe('sync with peers that are named', () => {
  test('dials those that are not connected, says why of those it does not reach, and lets go again', async () => {
    const mesh = await openMesh({ nodes: 5 })
    const [self, connected, distant, cut, stranger] = mesh.nodes
    if (!self || !connected || !distant || !cut || !stranger) throw new Error('there are five')
    // Nobody is a neighbour of anybody.
    for (const { service } of mesh.nodes) service.circles([])
    self.service.want(connected.id, [])
    await mesh.until('connection', () => self.service.connectedPeers().length === 1)
    await mesh.advance(5_000)
    mesh.network.cut(self.id, cut.id)
    distant.store.write(7)
    stranger.store.setAccess(() => 'none')
    const peers = [connected, distant, cut, stranger].map(({ id }) => ({ peer: id, addresses: [] }))
    const outcomes: SyncOutcome[] = []
    const { signal } = createAbortController()
    const collect = async (): Promise<void> => {
      for await (const outcome of self.service.sync(mesh.storeId, signal, peers)) outcomes.push(outcome)
    }
    await mesh.settle(collect())
    const of = (peer: PublicKey): SyncOutcome | undefined => outcomes.find((one) => one.peer === peer)
    expect(outcomes).toHaveLength(4)
    expect(of(connected.id)).toMatchObject({ kind: 'done' })
    expect(of(distant.id)).toMatchObject({ kind: 'done', synced: true, received: 7 })
    expect(of(cut.id)).toMatchObject({ kind: 'failed', unreached: true, error: { code: 'PEER_UNREACHABLE' } })
    expect(of(stranger.id)).toMatchObject({ kind: 'failed', error: { code: 'STORE_NOT_FOUND' } })
    // The one that could not be reached comes last, and keeps none of the others waiting.
    expect(outcomes.at(-1)?.peer).toBe(cut.id)
    await mesh.until('only the wanted one is left', () => self.service.connectedPeers().length === 1, 20_000)
    expect(self.service.connectedPeers()[0]?.peer).toEqual(connected.id)
    expect(self.service.presence(distant.id)).toMatchObject({ online: true, connected: false })
  })

  test('does not wait on a connection that only looks whole', async () => {
    const mesh = await openMesh({ nodes: 2, network: { idleTimeoutMs: 3_600_000 } })
    const [a, b] = [mesh.node(0), mesh.node(1)]
    a.service.want(b.id, [])
    await mesh.until('connection', () => a.service.connectedPeers().length === 1 && mesh.converged())
    mesh.network.crash(b.id)
    const { signal } = createAbortController()
    const outcomes: SyncOutcome[] = []
    const collect = async (): Promise<void> => {
      for await (const one of a.service.sync(mesh.storeId, signal, [{ peer: b.id, addresses: [] }])) outcomes.push(one)
    }
    await mesh.settle(collect(), DEFAULT_LIMITS.answerMs + DEFAULT_LIMITS.dialDeadlineMs)
    expect(outcomes).toMatchObject([{ kind: 'failed', unreached: true, error: { code: 'PEER_UNREACHABLE' } }])
  })

  test('ends with the signal, whatever is under way', async () => {
    const mesh = await openMesh({ nodes: 2 })
    const [a, b] = [mesh.node(0), mesh.node(1)]
    mesh.network.cut(a.id, b.id)
    const controller = createAbortController()
    const reason = new Error('enough')
    const collect = async (): Promise<unknown> => {
      for await (const outcome of a.service.sync(mesh.storeId, controller.signal, [{ peer: b.id, addresses: [] }])) {
        return outcome
      }
      return undefined
    }
    const collecting = collect()
    await mesh.advance(1_000)
    controller.abort(reason)
    await expect(mesh.settle(collecting, 1_000)).rejects.toBe(reason)
  })

  test('names one that is shut out as such', async () => {
    const mesh = await openMesh({ nodes: 1 })
    const a = mesh.node(0)
    const { publicKey: peer } = mesh.crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(0xee)))
    const { signal } = createAbortController()
    const connection = await mesh.settle(mesh.network.transport(peer).connect(a.id, { addresses: [], signal }))
    const stream = await mesh.settle(connection.open())
    await mesh.settle(stream.write(new Uint8Array(10).fill(255).with(0, 9)))
    await mesh.settle(connection.closed)
    const outcomes: SyncOutcome[] = []
    const collect = async (): Promise<void> => {
      for await (const one of a.service.sync(mesh.storeId, signal, [{ peer, addresses: [] }])) outcomes.push(one)
    }
    await mesh.settle(collect())
    expect(outcomes).toMatchObject([{ kind: 'failed', unreached: true, error: { name: 'PeerMuted' } }])
  })
})
