import { idKey, type PublicKey, toHex, toStoreId } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { createTreeGossip, type GossipFactory, type NetworkEvent } from '../src/index.ts'
import { ACTIVE_VIEW, DEFAULT_LIMITS } from '../src/limits.ts'
import { type Mesh, type MeshOptions, openMesh } from './mesh.ts'

/** Just below what one operation may hold. */
const LARGEST = 128 * 1024 - 64

/** Frames of one kind that came in, by all nodes. */
interface Traffic {
  readonly count: (kind: string) => number
  readonly reset: () => void
  /** While true, what is pushed is taken for taken in, and is not. */
  losing: boolean
}

function tap(): { readonly traffic: Traffic; readonly gossip: GossipFactory } {
  const counts = new Map<string, number>()
  const traffic: Traffic = { count: (kind) => counts.get(kind) ?? 0, reset: () => counts.clear(), losing: false }
  const gossip: GossipFactory = (deps) => {
    const tree = createTreeGossip(deps)
    return {
      ...tree,
      accept: (peer) => {
        const machine = tree.accept(peer)
        return {
          ...machine,
          receive: (frame) => {
            counts.set(frame.case, (counts.get(frame.case) ?? 0) + 1)
            return machine.receive(frame)
          },
        }
      },
      take: async (link, store, arrived) => (traffic.losing ? [] : tree.take(link, store, arrived)),
    }
  }
  return { traffic, gossip }
}

interface Circled {
  readonly mesh: Mesh
  readonly traffic: Traffic
  readonly ids: readonly PublicKey[]
}

/** Nodes that know of each other from data, and whose memberships have found each other. */
async function circle(nodes: number, options: Partial<MeshOptions> = {}): Promise<Circled> {
  const { traffic, gossip } = tap()
  const mesh = await openMesh({ nodes, gossip, ...options })
  const ids = mesh.nodes.map(({ id }) => id)
  for (const { service } of mesh.nodes) service.circles([{ owner: mesh.storeId, peers: ids, stores: [mesh.storeId] }])
  await mesh.until('neighbours', () => mesh.nodes.every(({ service }) => service.connectedPeers().length > 0))
  await mesh.advance(45_000)
  return { mesh, traffic, ids }
}
const countAll = ({ mesh }: Circled): number[] => mesh.nodes.map(({ store }) => store.digest().witnessCount)
const sessions = ({ mesh }: Circled): number =>
  mesh.nodes.reduce((sum, { events }) => sum + events.filter((event) => isSync(event)).length, 0)
const isSync = (event: object): boolean => 'kind' in event && (event as NetworkEvent).kind === 'sync_result'
const haveAll = ({ mesh }: Circled, count: number, indices = mesh.nodes.map((_, index) => index)): boolean =>
  indices.every((index) => mesh.node(index).store.digest().witnessCount === count)

describe('a circle of many peers', { timeout: 60_000 }, () => {
  test('keeps each node connected to a few, reaches all at once, and sends hardly anything twice', async () => {
    const circled = await circle(16)
    const { mesh, traffic } = circled
    const connections = mesh.nodes.map(({ service }) => service.connectedPeers().length)
    expect(Math.min(...connections)).toBeGreaterThan(0)
    // Beside neighbours there are those that were some a moment ago.
    expect(Math.max(...connections)).toBeLessThanOrEqual(ACTIVE_VIEW + 3)
    expect(connections.reduce((sum, count) => sum + count) / mesh.nodes.length).toBeLessThanOrEqual(ACTIVE_VIEW + 1)
    // The first writes make the tree.
    for (let write = 0; write < 6; write += 1) {
      mesh.node(write).store.write(1)
      await mesh.advance(2_000)
    }
    expect(new Set(countAll(circled))).toEqual(new Set([7]))
    const before = sessions(circled)
    traffic.reset()
    for (let write = 0; write < 10; write += 1) {
      mesh.node(write).store.write(2)
      await mesh.until('the write', () => haveAll(circled, 9 + 2 * write), 1_000)
      await mesh.advance(1_000)
    }
    const pushes = traffic.count('push')
    expect(pushes).toBeGreaterThanOrEqual(150)
    expect(pushes).toBeLessThan(190)
    expect(sessions(circled)).toBe(before)
  })

  test('passes on what fits no message by announcing it, up to the largest operation', async () => {
    const circled = await circle(10)
    const { mesh } = circled
    const before = sessions(circled)
    mesh.node(0).store.write(3, 9_000)
    await mesh.until('a run over 16 KiB', () => haveAll(circled, 4), 3_000)
    mesh.node(1).store.write(4, LARGEST)
    await mesh.until('a run of the largest operations', () => haveAll(circled, 8), 5_000)
    expect(sessions(circled)).toBe(before)
    // Beyond what is announced neighbours are told that there is more, and fetch it by sessions.
    mesh.node(2).store.write(20, LARGEST)
    await mesh.until('a run too large to be announced', () => haveAll(circled, 28), 6_000)
    expect(sessions(circled)).toBeGreaterThan(before)
  })

  test('goes on when a third of the nodes crash, and takes them in again', async () => {
    const circled = await circle(15)
    const { mesh, ids } = circled
    for (const id of ids.slice(10)) mesh.network.crash(id)
    const left = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    mesh.node(0).store.write(1)
    await mesh.until('the write, as crashed neighbours are noticed', () => haveAll(circled, 2, left), 60_000)
    await mesh.advance(60_000)
    mesh.node(1).store.write(1)
    await mesh.until('a write along what is left', () => haveAll(circled, 3, left), 2_000)
  })

  test.each(['both ways', 'one way'])('heals after it was cut in two, %s', async (how) => {
    const circled = await circle(10)
    const { mesh, ids } = circled
    const [left, right] = [ids.slice(0, 5), ids.slice(5)]
    if (how === 'both ways') mesh.network.partition([left, right])
    else for (const a of left) for (const b of right) mesh.network.cut(a, b, { oneWay: true })
    await mesh.advance(2 * 60_000)
    mesh.node(0).store.write(1)
    mesh.node(7).store.write(1)
    await mesh.advance(60_000)
    expect(haveAll(circled, 2, [0, 1, 2, 3, 4])).toBe(true)
    mesh.network.heal()
    await mesh.until('both halves', () => haveAll(circled, 3), 10 * 60_000)
  })

  test('a node that reached nobody for long is back soon after it can', async () => {
    const circled = await circle(10)
    const { mesh, ids } = circled
    const [alone] = ids
    if (alone === undefined) throw new Error('there are nodes')
    mesh.network.partition([[alone], ids.slice(1)])
    await mesh.advance(3 * 60_000)
    expect(mesh.node(0).service.connectedPeers()).toEqual([])
    mesh.node(5).store.write(1)
    await mesh.advance(10_000)
    mesh.network.heal()
    await mesh.until('the write', () => haveAll(circled, 2), DEFAULT_LIMITS.dialBackoffMaxMs + 30_000)
  })

  test('a node that wakes does not wait out its pauses', async () => {
    const circled = await circle(10)
    const { mesh, ids } = circled
    mesh.network.partition([ids.slice(0, 1), ids.slice(1)])
    await mesh.advance(3 * 60_000)
    mesh.network.heal()
    mesh.node(0).service.rejoin()
    await mesh.until('a neighbour', () => mesh.node(0).service.connectedPeers().length > 0, 1_000)
  })

  test('heals what was lost without a trace by heartbeats alone', async () => {
    const circled = await circle(8)
    const { mesh, traffic } = circled
    traffic.losing = true
    mesh.node(0).store.write(1)
    await mesh.advance(100)
    traffic.losing = false
    expect(haveAll(circled, 2)).toBe(false)
    await mesh.until('the write', () => haveAll(circled, 2), 15_000)
  })

  test('what each neighbour holds is known soon, also of those that get ids only', async () => {
    const circled = await circle(9)
    const { mesh } = circled
    for (let write = 0; write < 4; write += 1) {
      mesh.node(write).store.write(1)
      await mesh.advance(2_000)
      for (const { service, store } of mesh.nodes) {
        const { fingerprint } = store.digest()
        for (const { peer } of service.connectedPeers()) {
          expect(toHex(service.peerDigest(peer, mesh.storeId)?.fingerprint ?? new Uint8Array(0))).toBe(
            toHex(fingerprint),
          )
        }
      }
    }
  })

  test('a connection that one side asked for lasts, though the other has no use for it', async () => {
    const { mesh, ids } = await circle(10)
    const { service, events } = mesh.node(0)
    const near = new Set(service.connectedPeers().map(({ peer }) => idKey(peer)))
    const far = ids.slice(1).find((id) => !near.has(idKey(id)))
    if (far === undefined) throw new Error('some peer is no neighbour')
    service.want(far, [])
    await mesh.until('it', () => service.connectedPeers().some(({ peer }) => idKey(peer) === idKey(far)))
    events.splice(0)
    await mesh.advance(12 * DEFAULT_LIMITS.releaseMs)
    const ends = events.filter(
      (event) => 'kind' in event && event.kind === 'peer_disconnected' && idKey(event.peer) === idKey(far),
    )
    expect(ends).toEqual([])
  })

  test('a connection that nobody needs any more ends', async () => {
    const circled = await circle(10)
    const { mesh, ids } = circled
    const { service } = mesh.node(0)
    const near = new Set(service.connectedPeers().map(({ peer }) => idKey(peer)))
    const far = ids.slice(1).find((id) => !near.has(idKey(id)))
    if (far === undefined) throw new Error('some peer is no neighbour')
    service.want(far, [])
    await mesh.until('it', () => service.connectedPeers().some(({ peer }) => idKey(peer) === idKey(far)))
    service.unwant(far)
    await mesh.advance(4 * DEFAULT_LIMITS.releaseMs)
    expect(service.connectedPeers().length).toBeLessThanOrEqual(ACTIVE_VIEW + 1)
  })
})

describe('a store that few of a circle hold', { timeout: 60_000 }, () => {
  test('reaches them within seconds, though no neighbour holds it', async () => {
    const holders = [0, 5, 10]
    const mesh = await openMesh({ nodes: 0, limits: { tickMs: 1_000, probeEveryMs: 1_000 } })
    const ids: PublicKey[] = []
    for (let index = 0; index < 14; index += 1) {
      const service = { knownPeers: () => ids }
      ids.push(mesh.addNode({ register: holders.includes(index), service }).id)
    }
    const owner = toStoreId(new Uint8Array(32).fill(5))
    for (const { service } of mesh.nodes) service.circles([{ owner, peers: ids, stores: [mesh.storeId] }])
    // Once everybody was visited.
    await mesh.advance(45_000)
    for (const writer of holders) {
      mesh.node(writer).store.write(1)
      const isThere = (): boolean =>
        new Set(holders.map((index) => mesh.node(index).store.digest().witnessCount)).size === 1
      await mesh.until('it', isThere, 10_000)
    }
  })
})

describe('a circle of few peers', () => {
  test('is connected all to all', async () => {
    const { mesh } = await circle(ACTIVE_VIEW + 1)
    for (const { service } of mesh.nodes) expect(service.connectedPeers()).toHaveLength(ACTIVE_VIEW)
  })

  test('is idle without a word but heartbeats', async () => {
    const { mesh, traffic } = await circle(3)
    traffic.reset()
    await mesh.advance(10 * DEFAULT_LIMITS.heartbeatMs)
    expect(traffic.count('heartbeat')).toBeGreaterThanOrEqual(6 * 9)
    for (const kind of ['push', 'membership', 'ihave', 'graft', 'prune']) expect(traffic.count(kind)).toBe(0)
  })
})

describe('a star', () => {
  test('passes on what its middle got by a session', async () => {
    const { gossip } = tap()
    const mesh = await openMesh({ nodes: 4, gossip })
    const [middle, ...leaves] = mesh.nodes
    if (middle === undefined) throw new Error('there is a middle')
    mesh.node(3).store.write(40, 2_000)
    mesh.node(3).store.write(200, 2_000)
    mesh.node(2).store.write(1)
    for (const { service } of leaves.slice(0, 2)) service.want(middle.id, [])
    await mesh.until('two leaves', () => middle.service.connectedPeers().length === 2)
    await mesh.until('a little, as messages', () => mesh.node(1).store.digest().witnessCount === 2, 3_000)
    mesh.node(3).service.want(middle.id, [])
    await mesh.until('much, by sessions', () => mesh.converged() && middle.store.digest().witnessCount === 242, 10_000)
  })
})
