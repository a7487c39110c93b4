import { type Clock, createAbortController, MAX_DRIFT_MS, type PublicKey, toSeed } from '@lattice/model'
import type { Connection } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { encodeFrame } from '../src/frame.ts'
import { DEFAULT_LIMITS, type NetworkEvent } from '../src/index.ts'
import { type Mesh, type MeshNode, openMesh } from './mesh.ts'

const { signal } = createAbortController()
const YEAR_MS = 365 * 86_400_000

/** Peers of the network that nobody let in, as they say what time it is. */
async function strangersSay(mesh: Mesh, to: PublicKey, saidMs: readonly number[]): Promise<readonly PublicKey[]> {
  const keys: PublicKey[] = []
  for (const [index, wallMs] of saidMs.entries()) {
    const { publicKey } = mesh.crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(0xa0 + index)))
    const transport = mesh.network.transport(publicKey)
    const connection = await mesh.settle(transport.connect(to, { addresses: [], signal }))
    await sayTime(mesh, connection, wallMs)
    keys.push(publicKey)
  }
  return keys
}

async function sayTime(mesh: Mesh, connection: Connection, wallMs: number): Promise<void> {
  const stream = await mesh.settle(connection.open())
  const value = { protocol: net.Protocol.PING, version: 1, wallTime: BigInt(wallMs) }
  await mesh.settle(stream.write(encodeFrame({ case: 'open', value })))
  const answer = await mesh.settle(stream.read())
  if (answer === undefined) throw new Error('a ping is answered')
}

/** Only these may use the store of the node. */
function admit(node: MeshNode, ...peers: readonly PublicKey[]): void {
  node.store.setAccess((peer) => (peers.includes(peer) ? 'full' : 'none'))
}
function tell(mesh: Mesh, node: MeshNode, ...peers: readonly PublicKey[]): void {
  admit(node, ...peers)
  node.service.circles([{ owner: mesh.storeId, peers, stores: [mesh.storeId] }])
}
const skews = ({ events }: MeshNode): readonly NetworkEvent[] =>
  events.flatMap((event) => ('kind' in event && event.kind === 'clock_skew' ? [event] : []))
const now = (mesh: Mesh): number => mesh.scheduler.clock.wallMs()
/** How far the peers' time is from the true one. */
function offMs(mesh: Mesh, { service }: MeshNode): number | undefined {
  const time = service.peerTime()
  return time && Math.abs(time.medianMs - now(mesh))
}

describe.each<[string, boolean]>([
  ['that was told of no circles', false],
  ['that was told of its circles', true],
])('a node %s', (_, isTold) => {
  test.each<[string, number]>([
    ['early', -YEAR_MS],
    ['late', 75 * YEAR_MS],
  ])('takes no time from strangers, however many agree: %s', async (__, byMs) => {
    const mesh = await openMesh({ nodes: 1 })
    const a = mesh.node(0)
    admit(a)
    if (isTold) tell(mesh, a)
    await strangersSay(
      mesh,
      a.id,
      [byMs, byMs, byMs].map((ms) => now(mesh) + ms),
    )
    expect(a.service.connectedPeers()).toHaveLength(3)
    expect(a.service.peerTime()).toBeUndefined()
    await mesh.advance(2 * DEFAULT_LIMITS.tickMs)
    expect(skews(a)).toEqual([])
  })

  test('takes it from the peers of its store, whatever strangers say beside', async () => {
    const mesh = await openMesh({ nodes: 2 })
    const [a, b] = [mesh.node(0), mesh.node(1)]
    admit(a, b.id)
    if (isTold) tell(mesh, a, b.id)
    a.service.want(b.id, [])
    await mesh.until('connection', () => a.service.connectedPeers().length === 1 && mesh.converged())
    await strangersSay(
      mesh,
      a.id,
      [-YEAR_MS, -YEAR_MS, YEAR_MS].map((ms) => now(mesh) + ms),
    )
    expect(a.service.connectedPeers()).toHaveLength(4)
    expect(a.service.peerTime()?.count).toBe(1)
    expect(offMs(mesh, a)).toBeLessThan(100)
  })
})

describe('a peer that said a wrong time', () => {
  test('counts from when it is let in until it is removed, and so does the verdict', async () => {
    const mesh = await openMesh({ nodes: 1 })
    const a = mesh.node(0)
    tell(mesh, a)
    const [stranger] = await strangersSay(mesh, a.id, [now(mesh) - MAX_DRIFT_MS])
    if (stranger === undefined) throw new Error('it was there')
    expect(a.service.peerTime()).toBeUndefined()
    tell(mesh, a, stranger)
    expect(a.service.peerTime()?.count).toBe(1)
    await mesh.advance(0)
    expect(skews(a)).toMatchObject([{ skewed: true }])
    tell(mesh, a)
    expect(a.service.peerTime()).toBeUndefined()
    await mesh.advance(0)
    expect(skews(a)).toMatchObject([{ skewed: true }, { skewed: false }])
  })

  test('counts as soon as there is a store that it may use', async () => {
    const mesh = await openMesh({ nodes: 1, register: false })
    const a = mesh.node(0)
    await strangersSay(mesh, a.id, [now(mesh) - MAX_DRIFT_MS])
    expect(a.service.peerTime()).toBeUndefined()
    a.service.register(a.store)
    expect(a.service.peerTime()?.count).toBe(1)
    await mesh.advance(0)
    expect(skews(a)).toMatchObject([{ skewed: true }])
  })

  test('counts no more once the store is not here any more', async () => {
    const mesh = await openMesh({ nodes: 1 })
    const a = mesh.node(0)
    const [peer] = await strangersSay(mesh, a.id, [now(mesh) - MAX_DRIFT_MS])
    if (peer === undefined) throw new Error('it is there')
    tell(mesh, a, peer)
    expect(a.service.peerTime()?.count).toBe(1)
    await mesh.settle(a.service.unregister(mesh.storeId))
    expect(a.service.peerTime()).toBeUndefined()
    await mesh.advance(0)
    expect(skews(a)).toMatchObject([{ skewed: true }, { skewed: false }])
  })

  test('has no verdict stand that nobody has told the end of: it is looked at with every tick', async () => {
    const mesh = await openMesh({ nodes: 1 })
    const a = mesh.node(0)
    const [peer] = await strangersSay(mesh, a.id, [now(mesh) - MAX_DRIFT_MS])
    if (peer === undefined) throw new Error('it is there')
    tell(mesh, a, peer)
    await mesh.advance(0)
    expect(skews(a)).toMatchObject([{ skewed: true }])
    admit(a)
    await mesh.advance(DEFAULT_LIMITS.tickMs)
    expect(a.service.peerTime()).toBeUndefined()
    expect(skews(a)).toMatchObject([{ skewed: true }, { skewed: false }])
  })
})

describe('a peer that a store is fetched from', () => {
  test('has a say for as long as that takes', async () => {
    const mesh = await openMesh({ nodes: 1 })
    const server = mesh.node(0)
    server.store.write(100, 200)
    const { clock } = mesh.scheduler
    const since = clock.monotonicMs()
    const board: Clock = { wallMs: () => clock.monotonicMs() - since, monotonicMs: clock.monotonicMs }
    const joiner = mesh.addNode({ register: false, holdsGenesis: false, service: { clock: board } })
    joiner.service.circles([])
    const heard: (number | undefined)[] = []
    joiner.store.beforeIngest = async () => {
      heard.push(offMs(mesh, joiner))
    }
    const peers = [{ peer: server.id, addresses: [] }]
    await mesh.settle(joiner.service.bootstrap({ store: joiner.store, peers, signal }))
    expect(heard.length).toBeGreaterThan(0)
    for (const off of heard) expect(off).toBeLessThan(100)
    expect(joiner.service.connectedPeers()).toHaveLength(1)
    expect(joiner.service.peerTime()).toBeUndefined()
  })
})
