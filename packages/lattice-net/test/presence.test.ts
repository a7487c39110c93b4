import { type Clock, createAbortController, type PublicKey, type Scheduler, toSeed, toHex } from '@lattice/model'
import type { BiStream, Connection, Transport } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { encodeFrame } from '../src/frame.ts'
import { createFrameDecoder } from '../src/frame-decoder.ts'
import { DEFAULT_LIMITS, type NetworkChange, type NetworkEvent } from '../src/index.ts'
import { createMesh, type Mesh, type MeshNode, type MeshOptions, openMesh } from './mesh.ts'

const { signal } = createAbortController()
const { tickMs, silentMs, answerMs, probeRoundMs, awayPresenceMs } = DEFAULT_LIMITS
/** Within this a connection whose other end is gone is found out, what was in flight as it went included. */
const FOUND_OUT_MS = silentMs + tickMs + answerMs + 100
/** Within this everything was looked at after a wake: the tick, the spread, an answer that does not come. */
const AFTER_WAKE_MS = tickMs + DEFAULT_LIMITS.wakeSpreadMs + answerMs
const DAY_MS = 86_400_000
/** A transport that does not notice anything by itself. */
const NUMB = { idleTimeoutMs: 30 * DAY_MS }

function eventsOf({ events }: MeshNode, ...kinds: readonly NetworkEvent['kind'][]): readonly NetworkEvent[] {
  return events.flatMap((event) => ('kind' in event && kinds.includes(event.kind) ? [event] : []))
}
const isOnline = (from: MeshNode, peer: PublicKey): boolean | undefined => from.service.presence(peer)?.online

async function pair(options: Partial<MeshOptions> = {}): Promise<{ mesh: Mesh; a: MeshNode; b: MeshNode }> {
  const mesh = await openMesh({ nodes: 2, ...options })
  const [a, b] = [mesh.node(0), mesh.node(1)]
  a.service.want(b.id, [])
  await mesh.until(
    'connection',
    () => mesh.nodes.every(({ service }) => service.connectedPeers().length === 1) && mesh.converged(),
  )
  return { mesh, a, b }
}

describe('a connection', () => {
  test('whose other end is gone is closed well before the transport notices, on both sides', async () => {
    const { mesh, a, b } = await pair({ network: NUMB })
    mesh.network.cut(a.id, b.id)
    const since = mesh.scheduler.clock.wallMs()
    await mesh.advance(FOUND_OUT_MS)
    expect([isOnline(a, b.id), isOnline(b, a.id)]).toEqual([false, false])
    expect(eventsOf(a, 'peer_offline')).toMatchObject([{ peer: b.id }])
    const seen = a.service.presence(b.id)?.lastSeenMs ?? 0
    expect(seen).toBeLessThanOrEqual(since)
    expect(seen).toBeGreaterThan(since - silentMs - tickMs)
  })

  test('of which only one direction is cut is given up by the side that hears nothing', async () => {
    const { mesh, a, b } = await pair({ network: NUMB })
    mesh.network.cut(b.id, a.id, { oneWay: true })
    await mesh.advance(FOUND_OUT_MS)
    expect(isOnline(a, b.id)).toBe(false)
  })

  test('over which nothing is to be said stays, for a few small messages a minute', async () => {
    const messages: number[] = []
    const { mesh, a, b } = await pair({
      network: { onEvent: ({ kind, bytes }) => void (kind === 'data' && messages.push(bytes)) },
    })
    await mesh.advance(60_000)
    messages.length = 0
    await mesh.advance(60 * 60_000)
    expect([isOnline(a, b.id), isOnline(b, a.id)]).toEqual([true, true])
    expect(eventsOf(a, 'peer_connected', 'peer_disconnected', 'peer_offline')).toHaveLength(1)
    // Heartbeats of both sides; as long as these come, nothing has to be asked.
    expect(messages.length / 60).toBeLessThanOrEqual(30)
    expect(messages.reduce((sum, bytes) => sum + bytes, 0) / messages.length).toBeLessThan(40)
  })

  test('made by two nodes at once is settled without either being told that the other lacks its stores', async () => {
    for (let seed = 0; seed < 6; seed += 1) {
      const mesh = await createMesh({ nodes: 2, seed: `crossing ${seed}` })
      mesh.connectAll()
      await mesh.advance(20_000)
      for (const [from, to] of [
        [mesh.node(0), mesh.node(1)],
        [mesh.node(1), mesh.node(0)],
      ] as const) {
        expect(from.service.exchange(to.id, mesh.storeId).lastFailure).toBeUndefined()
      }
      await mesh.close()
    }
  })
})

/** A clock that is a test's own, over the one of the mesh. */
function ownClock({ clock }: { readonly clock: Clock }): {
  readonly clock: Clock
  readonly shift: (ms: number) => void
} {
  let shiftMs = 0
  return {
    clock: { monotonicMs: clock.monotonicMs, wallMs: () => clock.wallMs() + shiftMs },
    shift: (ms) => {
      shiftMs += ms
    },
  }
}

describe('a wall clock that is set', () => {
  test.each([DAY_MS, -DAY_MS, 5 * 365 * DAY_MS, -5 * 365 * DAY_MS])(
    'by %d ms breaks no connection, ages nobody, and has everything looked at',
    async (shiftMs) => {
      const mesh = await openMesh({ nodes: 1 })
      const own = ownClock(mesh.scheduler)
      const changes: NetworkChange[] = []
      const a = mesh.addNode({
        service: { clock: own.clock, onNetworkChanged: (change) => changes.push(change) },
      })
      const b = mesh.node(0)
      a.service.want(b.id, [])
      await mesh.until('connection', () => a.service.connectedPeers().length === 1 && mesh.converged())
      await mesh.advance(60_000)
      own.shift(shiftMs)
      await mesh.advance(AFTER_WAKE_MS)
      expect(changes.map(({ cause }) => cause)).toEqual([shiftMs < 0 ? 'clock_set' : 'woke'])
      await mesh.advance(10 * 60_000)
      expect(isOnline(a, b.id)).toBe(true)
      expect(eventsOf(a, 'peer_disconnected', 'peer_offline')).toEqual([])
      const { lastSeenMs = 0 } = a.service.presence(b.id) ?? {}
      expect(lastSeenMs).toBeLessThanOrEqual(own.clock.wallMs())
      expect(own.clock.wallMs() - lastSeenMs).toBeLessThan(FOUND_OUT_MS)
      b.store.write(3)
      await mesh.until('the push', mesh.converged, 5_000)
    },
  )

  test('again and again costs no more than one look in a while', async () => {
    const mesh = await openMesh({ nodes: 1 })
    const own = ownClock(mesh.scheduler)
    const changes: NetworkChange[] = []
    mesh.addNode({ service: { clock: own.clock, onNetworkChanged: (change) => changes.push(change) } })
    for (let round = 0; round < 120; round += 1) {
      own.shift(round % 2 === 0 ? DAY_MS : -DAY_MS)
      await mesh.advance(tickMs)
    }
    expect(changes.length).toBeGreaterThan(10)
    expect(changes.length).toBeLessThanOrEqual(30)
  })
})

/** The ports of a machine that can be put to sleep: its timers wait, and its monotonic clock stands still. */
function sleeper({ clock, after, soon }: Scheduler & { readonly clock: Clock }): {
  readonly ports: { readonly clock: Clock; readonly scheduler: Scheduler }
  readonly sleep: () => void
  readonly wake: () => void
} {
  let asleepSince: number | undefined
  let sleptMs = 0
  const held = new Set<() => void>()
  const gated =
    (task: () => void): (() => void) =>
    () =>
      asleepSince === undefined ? task() : held.add(task)
  return {
    ports: {
      clock: {
        wallMs: clock.wallMs,
        monotonicMs: () => (asleepSince ?? clock.monotonicMs()) - sleptMs,
      },
      scheduler: {
        after: (delayMs, task) => {
          const run = gated(task)
          const cancel = after(delayMs, run)
          return () => {
            cancel()
            held.delete(task)
          }
        },
        soon: (task) => soon(gated(task)),
      },
    },
    sleep: () => {
      asleepSince = clock.monotonicMs()
    },
    wake: () => {
      if (asleepSince !== undefined) sleptMs += clock.monotonicMs() - asleepSince
      asleepSince = undefined
      for (const task of held) task()
      held.clear()
    },
  }
}

describe('a machine that slept', () => {
  test('for eight hours in the middle of a session goes on where it was', async () => {
    const mesh = await openMesh({ nodes: 1, network: NUMB })
    const machine = sleeper(mesh.scheduler)
    const b = mesh.node(0)
    const a = mesh.addNode({ service: machine.ports })
    for (let run = 0; run < 16; run += 1) b.store.write(60, 6_000)
    a.service.want(b.id, [])
    await mesh.until('a session', () => a.service.exchange(b.id, mesh.storeId).isRunning)
    await mesh.until('its middle', () => a.store.digest().witnessCount > 100)
    expect(a.store.digest().witnessCount).toBeLessThan(900)
    machine.sleep()
    mesh.network.cut(a.id, b.id)
    await mesh.advance(8 * 3_600_000)
    // The other side knows long since.
    expect(isOnline(b, a.id)).toBe(false)
    for (let run = 0; run < 5; run += 1) b.store.write(10)
    mesh.network.heal()
    machine.wake()
    await mesh.until('convergence', mesh.converged, 30_000)
    expect(a.store.digest().witnessCount).toBe(16 * 60 + 50 + 1)
  })

  test('notices at the next tick that its peers are other ones by now, however silent the transport', async () => {
    const mesh = await openMesh({ nodes: 1, network: NUMB })
    const machine = sleeper(mesh.scheduler)
    const changes: NetworkChange[] = []
    const a = mesh.addNode({ service: { ...machine.ports, onNetworkChanged: (change) => changes.push(change) } })
    const b = mesh.node(0)
    a.service.want(b.id, [])
    await mesh.until('connection', () => a.service.connectedPeers().length === 1 && mesh.converged())
    await mesh.advance(30_000)
    machine.sleep()
    // Without a word: what is left of the connection looks whole from here.
    mesh.network.crash(b.id)
    await mesh.advance(8 * 3_600_000)
    machine.wake()
    expect(isOnline(a, b.id)).toBe(true)
    await mesh.advance(AFTER_WAKE_MS)
    expect(changes).toMatchObject([{ cause: 'woke' }])
    expect(isOnline(a, b.id)).toBe(false)
  })

  test('dials at once whom it waited to dial', async () => {
    const mesh = await openMesh({ nodes: 1 })
    const own = ownClock(mesh.scheduler)
    const a = mesh.addNode({ service: { clock: own.clock } })
    const b = mesh.node(0)
    mesh.network.cut(a.id, b.id)
    a.service.want(b.id, [])
    await mesh.advance(20 * 60_000)
    // In a pause between dials that has long to go.
    await mesh.until('a failure', () => (a.service.diagnosis(b.id).dial?.nextAtMs ?? 0) - own.clock.wallMs() > 20_000)
    mesh.network.heal()
    own.shift(DAY_MS)
    await mesh.until('a connection', () => a.service.connectedPeers().length === 1, AFTER_WAKE_MS)
  })
})

describe('another network', () => {
  test('is noticed by the addresses of the machine: peers are told, and what differs is reconciled', async () => {
    const mesh = await openMesh({ nodes: 1 })
    let addresses = ['10.0.0.2/24']
    const changes: NetworkChange[] = []
    const a = mesh.addNode({
      service: { hostNetwork: { addresses: () => addresses }, onNetworkChanged: (change) => changes.push(change) },
    })
    const b = mesh.node(0)
    a.service.want(b.id, [])
    await mesh.until('connection', () => a.service.connectedPeers().length === 1 && mesh.converged())
    await mesh.advance(60_000)
    expect(changes).toEqual([])
    const learned = eventsOf(b, 'addresses_learned').length
    addresses = ['192.168.7.3/24']
    await mesh.advance(AFTER_WAKE_MS)
    expect(changes).toMatchObject([{ cause: 'moved', addresses: [`sim:${toHex(a.id)}`] }])
    expect(eventsOf(b, 'addresses_learned').length).toBe(learned + 1)
    // The same ones in another order are no change.
    addresses = ['192.168.7.3/24', 'fd00::1/64']
    await mesh.advance(60_000)
    addresses = ['fd00::1/64', '192.168.7.3/24']
    await mesh.advance(60_000)
    expect(changes).toHaveLength(2)
  })
})

describe('peers that are no neighbours', () => {
  /** Nodes that know of each other and are connected to nobody in particular. */
  async function strangers(count: number, seed: string): Promise<Mesh> {
    const mesh = await openMesh({ nodes: 0, seed })
    for (let index = 0; index < count; index += 1) {
      const node: { current?: MeshNode } = {}
      const knownPeers = (): readonly PublicKey[] =>
        mesh.nodes.map(({ id }) => id).filter((id) => id !== node.current?.id)
      node.current = mesh.addNode({ service: { knownPeers } })
      // Nobody is a neighbour of anybody.
      node.current.service.circles([])
    }
    return mesh
  }

  test('are visited in turn, reconciled and let go, and are online meanwhile', async () => {
    const mesh = await strangers(5, 'visits')
    for (const { store } of mesh.nodes) store.write(2)
    let most = 0
    await mesh.until(
      'everybody knows of everybody',
      () => {
        most = Math.max(most, ...mesh.nodes.map(({ service }) => service.connectedPeers().length))
        return mesh.nodes.every((from) => mesh.nodes.every((to) => from === to || isOnline(from, to.id) === true))
      },
      probeRoundMs,
    )
    await mesh.until('convergence', mesh.converged, 4 * probeRoundMs)
    // Of one's own one at a time, and those of others.
    expect(most).toBeLessThan(4)
    await mesh.until('nobody is connected', () => mesh.network.connectionCount() === 0, probeRoundMs)
    // A steady mesh tells nothing more, however often it is looked after.
    await mesh.advance(4 * awayPresenceMs)
    for (const node of mesh.nodes) {
      expect(eventsOf(node, 'peer_online')).toHaveLength(4)
      expect(eventsOf(node, 'peer_offline')).toEqual([])
    }
    const [a, b] = [mesh.node(0), mesh.node(1)]
    expect(a.service.peerDigest(b.id, mesh.storeId)).toBeUndefined()
    expect(a.service.pastDigest(b.id, mesh.storeId)).toMatchObject({ witnessCount: 11 })
  })

  test('are seen to be there in a mesh that keeps a few neighbours each', async () => {
    const mesh = await strangers(8, 'large')
    const everybody = mesh.nodes.map(({ id }) => id)
    for (const { id, service } of mesh.nodes) {
      const peers = everybody.filter((other) => other !== id)
      service.circles([{ owner: mesh.storeId, peers, stores: [mesh.storeId] }])
    }
    const neighbours = (): readonly number[] => mesh.nodes.map(({ service }) => service.connectedPeers().length)
    await mesh.until('a mesh', () => Math.min(...neighbours()) > 0)
    await mesh.until(
      'everybody knows of everybody',
      () => mesh.nodes.every((from) => mesh.nodes.every((to) => from === to || isOnline(from, to.id) === true)),
      3 * probeRoundMs,
    )
    await mesh.advance(60_000)
    expect(Math.min(...neighbours())).toBeLessThan(7)
    for (const node of mesh.nodes) {
      const online = mesh.nodes.filter((to) => to !== node && isOnline(node, to.id) === true)
      expect(online).toHaveLength(7)
      expect(eventsOf(node, 'peer_offline')).toEqual([])
    }
  })

  test('that are gone are offline once they are missed', async () => {
    const mesh = await strangers(4, 'gone')
    await mesh.until('everybody knows of everybody', () =>
      mesh.nodes.every((from) => mesh.nodes.every((to) => from === to || isOnline(from, to.id) === true)),
    )
    await mesh.until('nobody is connected', () => mesh.network.connectionCount() === 0, probeRoundMs)
    const [gone, ...others] = mesh.nodes
    if (gone === undefined) throw new Error('there are nodes')
    mesh.network.crash(gone.id)
    await mesh.until('all know', () => others.every((node) => isOnline(node, gone.id) === false), 2 * probeRoundMs)
    for (const node of others) {
      expect(eventsOf(node, 'peer_offline')).toMatchObject([{ peer: gone.id }])
      for (const other of others) if (other !== node) expect(isOnline(node, other.id)).toBe(true)
    }
  })
})

/** Bare transports that behave as a test likes. */
function intruder(mesh: Mesh, fill: number): { readonly id: PublicKey; readonly transport: Transport } {
  const seed = new Uint8Array(32).fill(0xe0)
  seed[0] = fill & 0xff
  seed[1] = fill >> 8
  const { publicKey: id } = mesh.crypto.keyPairFromSeed(toSeed(seed))
  return { id, transport: mesh.network.transport(id) }
}

/** Answers pings and nothing else: any other stream is accepted and then left alone. */
async function answerPings(connection: Connection): Promise<void> {
  for await (const stream of connection.streams) answerPing(stream).catch(() => undefined)
}

async function answerPing(stream: BiStream): Promise<void> {
  const decoder = createFrameDecoder()
  for (;;) {
    const bytes = await stream.read()
    if (bytes === undefined) return
    decoder.push(bytes)
    const frame = decoder.next()
    if (!frame.ok || frame.value?.case !== 'open') continue
    await stream.write(encodeFrame({ case: 'accepted', value: { version: 1, wallTime: 0n } }))
    if (frame.value.value.protocol === net.Protocol.PING) return await stream.finish()
  }
}

describe('a hostile peer', () => {
  test('that answers pings and nothing else is there, holds up nobody else, and is not called synced', async () => {
    const mesh = await openMesh({ nodes: 2 })
    const [a, b] = [mesh.node(0), mesh.node(1)]
    const { id, transport } = intruder(mesh, 1)
    const answer = async (): Promise<void> => {
      for await (const connection of transport.incoming) answerPings(connection).catch(() => undefined)
    }
    answer().catch(() => undefined)
    a.service.want(id, [])
    a.service.want(b.id, [])
    await mesh.until('connections', () => a.service.connectedPeers().length === 2)
    await mesh.advance(10 * 60_000)
    expect(isOnline(a, id)).toBe(true)
    b.store.write(5)
    await mesh.until('convergence', mesh.converged, 5_000)
    const results = new Map<PublicKey, string>()
    const collect = async (): Promise<void> => {
      for await (const outcome of a.service.sync(mesh.storeId, signal)) {
        results.set(outcome.peer, outcome.kind === 'done' ? `synced ${outcome.synced}` : outcome.error.code)
      }
    }
    await mesh.settle(collect())
    expect([results.get(b.id), results.get(id)]).toEqual(['synced true', 'DEADLINE_EXCEEDED'])
  })

  test('that connects and drops in a loop is told of a few times', async () => {
    const mesh = await openMesh({ nodes: 1 })
    const { id, transport } = intruder(mesh, 1)
    for (let round = 0; round < 100; round += 1) {
      const connection = await mesh.settle(transport.connect(mesh.node(0).id, { addresses: [], signal }))
      await mesh.advance(300)
      await mesh.settle(connection.close('bye'))
      await mesh.advance(300)
    }
    const told = eventsOf(mesh.node(0), 'peer_online', 'peer_offline')
    expect(told).toHaveLength(6)
    expect(isOnline(mesh.node(0), id)).toBe(false)
  })

  test('that is dialled and drops at once is dialled at growing intervals', async () => {
    const mesh = await openMesh({ nodes: 1 })
    const { id, transport } = intruder(mesh, 1)
    let dials = 0
    const drop = async (): Promise<void> => {
      for await (const connection of transport.incoming) {
        dials += 1
        await connection.close('bye')
      }
    }
    drop().catch(() => undefined)
    mesh.node(0).service.want(id, [])
    await mesh.advance(60 * 60_000)
    expect(dials).toBeGreaterThan(10)
    expect(dials).toBeLessThan(150)
    expect(eventsOf(mesh.node(0), 'peer_online').length).toBeLessThanOrEqual(3)
  })

  test('is 300 of them, there before a member and idle, and keeps out neither it nor who comes to join', async () => {
    const mesh = await openMesh({ nodes: 2 })
    const [a, b, joiner] = [mesh.node(0), mesh.node(1), mesh.addNode({ register: false })]
    const members = [a.id, b.id].map(toHex)
    a.store.setAccess((peer) => (members.includes(toHex(peer)) ? 'full' : 'none'))
    const crowd = Array.from({ length: 300 }, (_, index) => intruder(mesh, index + 1))
    for (const { transport } of crowd) await mesh.settle(transport.connect(a.id, { addresses: [], signal }))
    await mesh.advance(500)
    expect(a.service.connectedPeers()).toHaveLength(DEFAULT_LIMITS.connections)

    // It is no neighbour of the other, which needs nothing of it.
    a.service.circles([])
    b.service.want(a.id, [])
    await mesh.until('the member', () => isOnline(b, a.id) === true, 1_000)
    b.store.write(2)
    await mesh.until('what it wrote', () => toHex(a.store.digest().fingerprint) === toHex(b.store.digest().fingerprint))
    const request = { inviter: a.id, addresses: [], storeId: mesh.storeId, secret: new Uint8Array(32), name: 'new' }
    const joining = joiner.service.join(request, signal)
    await expect(mesh.settle(joining)).rejects.toMatchObject({ name: 'PeerRefused', code: 'TOKEN_UNKNOWN' })
    expect(a.service.connectedPeers()).toHaveLength(DEFAULT_LIMITS.connections)
    expect(isOnline(a, b.id)).toBe(true)
  })

  test('is 300 of them, coming and going, and an honest peer is served all the same', async () => {
    const mesh = await openMesh({ nodes: 2 })
    const [a, b] = [mesh.node(0), mesh.node(1)]
    a.service.want(b.id, [])
    await mesh.until('connection', () => a.service.connectedPeers().length === 1 && mesh.converged())
    const crowd = Array.from({ length: 300 }, (_, index) => intruder(mesh, index + 1))
    for (let round = 0; round < 5; round += 1) {
      const connections = await mesh.settle(
        Promise.allSettled(crowd.map(({ transport }) => transport.connect(a.id, { addresses: [], signal }))),
      )
      await mesh.advance(500)
      b.store.write(2)
      await mesh.until('the push', mesh.converged, 5_000)
      for (const made of connections) if (made.status === 'fulfilled') await made.value.close('bye')
      await mesh.advance(500)
    }
    expect(isOnline(a, b.id)).toBe(true)
    expect(eventsOf(a, 'peer_online', 'peer_offline').length).toBeLessThanOrEqual(300 * 6 + 1)
  })
})
