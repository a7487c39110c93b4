import { createAbortController, equalBytes, MAX_SIGNED_INTENTION_BYTES, toSeed } from '@lattice/model'
import type { BiStream, Connection, PeerAccess } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { expect, test } from 'vitest'
import { PEER_CONNECTIONS, PEER_HELD_BYTES, STRANGER_HELD_BYTES } from '../src/defence-limits.ts'
import { createFrameDecoder } from '../src/frame-decoder.ts'
import { encodeFrame, type Frame, type FrameInit } from '../src/frame.ts'
import {
  DEFAULT_LIMITS,
  DIGEST_STORES_TOLD,
  MAX_DIFFERENCE_IDS,
  type NetworkLimits,
  RECONCILE_MESSAGE_BYTES,
  WANT_IDS_MAX,
} from '../src/limits.ts'
import { type Mesh, openMesh } from './mesh.ts'

const { signal } = createAbortController()

async function twoNodes(limits: Partial<NetworkLimits> = {}): Promise<Mesh> {
  const mesh = await openMesh({ nodes: 2, limits, network: { latencyMs: { min: 1, max: 1 } } })
  return mesh
}

/** Somebody who may open what it likes. */
function another(mesh: Mesh, fill = 0xee) {
  const { publicKey: id } = mesh.crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(fill)))
  const transport = mesh.network.transport(id)
  const connect = (): Promise<Connection> => mesh.settle(transport.connect(mesh.node(0).id, { addresses: [], signal }))
  return { id, transport, connect, look: () => mesh.node(0).service.diagnosis(id) }
}

async function attack() {
  const mesh = await twoNodes()
  return { mesh, ...another(mesh) }
}

const opening = (protocol: net.Protocol): Uint8Array =>
  encodeFrame({ case: 'open', value: { protocol, version: 1, wallTime: 1_795_000_000_000n } })

/** All but the last byte of a frame. */
const partOf = (frame: FrameInit): Uint8Array => encodeFrame(frame).subarray(0, -1)

/** Of the largest frame. */
function largePart(): Uint8Array {
  const chunk = new Uint8Array(MAX_SIGNED_INTENTION_BYTES - 100)
  const junk = Array.from({ length: 4 }, () => ({ intention: chunk, signature: new Uint8Array(0) }))
  return partOf({ case: 'intentions', value: { intentions: junk, last: false } })
}

/** Bytes that are held of a part: its length was read. */
const heldOf = (part: Uint8Array): number => part.length - 3

/** Opens a stream and begins a frame on it that does not end. */
async function hold(mesh: Mesh, connection: Connection, part: Uint8Array): Promise<BiStream> {
  const stream = await mesh.settle(connection.open())
  await mesh.settle(stream.write(opening(net.Protocol.FETCH)))
  await mesh.settle(stream.write(part).catch(() => undefined))
  await mesh.advance(20)
  return stream
}

const REFUSED = { case: 'refused', value: { code: net.RefusalCode.LIMIT_EXCEEDED } }

/** The last frame that came before the end. */
async function lastOf(stream: BiStream): Promise<Frame | undefined> {
  const decoder = createFrameDecoder()
  let last: Frame | undefined
  try {
    for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) {
      decoder.push(bytes)
      for (let next = decoder.next(); next.ok && next.value !== undefined; next = decoder.next()) last = next.value
    }
  } catch {
    // Reset: what came before counts.
  }
  return last
}

test('one peer that opens all it may, and fills each, has a bounded part of the memory, and is refused the rest by name', async () => {
  const { mesh, connect, look } = await attack()
  const connection = await connect()
  const part = largePart()
  const streams: BiStream[] = []
  for (let index = 0; index < DEFAULT_LIMITS.streamsPerConnection - 1; index += 1) {
    streams.push(await hold(mesh, connection, part))
  }
  expect(look().heldBytes).toBe(streams.length * heldOf(part))
  expect(look()).toMatchObject({ standing: 'good', score: 0 })

  // And ids that are wanted, as many as a difference may have.
  const session = await mesh.settle(connection.open())
  const last = lastOf(session)
  await mesh.settle(session.write(opening(net.Protocol.RECONCILE)))
  const hello = { storeId: mesh.storeId, witnessCount: 4n, fingerprint: new Uint8Array(32) }
  await mesh.settle(session.write(encodeFrame({ case: 'hello', value: hello })))
  const ids = Array.from({ length: WANT_IDS_MAX }, () => new Uint8Array(32))
  const want = encodeFrame({ case: 'want', value: { ids } })
  let most = 0
  for (let wanted = 0; wanted < MAX_DIFFERENCE_IDS; wanted += WANT_IDS_MAX) {
    await mesh.settle(session.write(want).catch(() => undefined))
    await mesh.advance(20)
    most = Math.max(most, look().heldBytes)
  }
  await mesh.settle(session.finish().catch(() => undefined))
  expect(most).toBeGreaterThan(PEER_HELD_BYTES - 2 * 1024 * 1024)
  expect(most).toBeLessThanOrEqual(PEER_HELD_BYTES)
  expect(await mesh.settle(last)).toMatchObject({
    case: 'refused',
    value: { code: net.RefusalCode.LIMIT_EXCEEDED, message: 'too much is held at once (memory): try again later' },
  })
  expect(look()).toMatchObject({ standing: 'good', misbehaviour: { code: 'overuse_memory' } })
  // Others are served all the while.
  mesh.connectAll()
  mesh.node(1).store.write(3)
  await mesh.until('the honest are in step', mesh.converged, 20_000)

  // What never becomes whole is given up by the deadline of a step, and nothing is held then.
  await mesh.advance(DEFAULT_LIMITS.stepDeadlineMs + DEFAULT_LIMITS.lingerMs)
  expect(look().heldBytes).toBe(0)
})

test('a stranger has little held, whatever it opens; a peer of a store, or one that was removed, has more', async () => {
  const mesh = await twoNodes()
  const { id, connect, look } = another(mesh)
  let access: PeerAccess = 'none'
  mesh.node(0).store.setAccess((peer) => (equalBytes(peer, id) ? access : 'full'))
  const connection = await connect()
  const part = largePart()
  await hold(mesh, connection, part)
  expect(look()).toMatchObject({ heldBytes: heldOf(part), score: 0 })
  const beyond = lastOf(await hold(mesh, connection, part))
  expect(await mesh.settle(beyond)).toMatchObject(REFUSED)
  expect(look().heldBytes).toBe(heldOf(part))
  expect(look()).toMatchObject({ standing: 'good', misbehaviour: { code: 'overuse_memory' } })

  // What a store says of it counts from then on, while its frames are held.
  access = 'full'
  for (let streams = 2; streams <= 4; streams += 1) {
    await hold(mesh, connection, part)
    expect(look().heldBytes).toBe(streams * heldOf(part))
  }
  access = 'revoked'
  await hold(mesh, connection, part)
  expect(look().heldBytes).toBe(5 * heldOf(part))
  access = 'none'
  // It adds as much at most as it may have had before it was asked again, and a little.
  const refused = [lastOf(await hold(mesh, connection, part)), lastOf(await hold(mesh, connection, part))]
  expect(await mesh.settle(refused[1] ?? Promise.resolve(undefined))).toMatchObject(REFUSED)
  expect(look().heldBytes).toBeLessThanOrEqual(6 * heldOf(part))
})

test('a stranger has room for all that an honest one sends at once', async () => {
  const mesh = await twoNodes()
  const { id, connect, look } = another(mesh)
  mesh.node(0).store.setAccess((peer) => (equalBytes(peer, id) ? 'none' : 'full'))
  const connection = await connect()
  const begin = async (protocol: net.Protocol, frame: FrameInit) => {
    const stream = await mesh.settle(connection.open())
    const bytes = encodeFrame(frame)
    await mesh.settle(stream.write(opening(protocol)))
    await mesh.settle(stream.write(bytes.subarray(0, -1)))
    const finish = (): Promise<void> => mesh.settle(stream.write(bytes.subarray(-1)))
    return { finish, last: lastOf(stream) }
  }
  // Of as many stores as it may name: it has not heard that they are not here.
  const fingerprint = new Uint8Array(32).fill(255)
  const stores = Array.from({ length: DIGEST_STORES_TOLD }, (_, index) => {
    const blindedId = new Uint8Array(16)
    new DataView(blindedId.buffer).setUint32(0, index)
    return { blindedId, witnessCount: 2n ** 53n - 1n, fingerprint, epochDigest: fingerprint, base: fingerprint }
  })
  const addresses = Array.from({ length: 16 }, () => 'x'.repeat(512))
  const nonce = new Uint8Array(16)
  const digests = await begin(net.Protocol.DIGEST, { case: 'digests', value: { nonce, stores, addresses } })
  const reconcile = new Uint8Array(RECONCILE_MESSAGE_BYTES)
  const hello = { storeId: mesh.storeId, witnessCount: 4n, fingerprint, reconcile }
  const sessions = [
    await begin(net.Protocol.RECONCILE, { case: 'hello', value: hello }),
    await begin(net.Protocol.RECONCILE, { case: 'hello', value: hello }),
  ]
  await mesh.advance(20)
  expect(look()).toMatchObject({ standing: 'good', score: 0 })
  expect(look().heldBytes).toBeGreaterThan(STRANGER_HELD_BYTES - 128 * 1024)
  for (const { finish } of [digests, ...sessions]) await finish()
  expect(await mesh.settle(digests.last)).toMatchObject({ case: 'digests', value: { stores: [] } })
  for (const { last } of sessions) {
    expect(await mesh.settle(last)).toMatchObject({ value: { code: net.RefusalCode.NO_SUCH_STORE } })
  }
  expect(look().score).toBe(0)
})

test('what is asked of a stranger is not held against it: who joins knows nobody yet', async () => {
  const mesh = await twoNodes()
  const { id, transport, connect, look } = another(mesh)
  mesh.node(0).store.setAccess((peer) => (equalBytes(peer, id) ? 'none' : 'full'))
  const connection = await connect()
  const part = largePart()
  const answering = answerJoin(connection, part)
  const abort = createAbortController()
  const request = { inviter: id, addresses: [], storeId: mesh.storeId, secret: new Uint8Array(32), name: 'n' }
  const joining = mesh.node(0).service.join(request, abort.signal)
  joining.catch(() => undefined)
  await mesh.settle(answering)
  await hold(mesh, connection, part)
  expect(look()).toMatchObject({ heldBytes: 2 * heldOf(part), score: 0 })
  abort.abort()
  await mesh.settle(joining.catch(() => undefined))
  await mesh.settle(transport.close())
})

/** Answers a join with a part of a frame, and other streams with nothing. */
async function answerJoin(connection: Connection, part: Uint8Array): Promise<void> {
  const accepted = encodeFrame({ case: 'accepted', value: { version: 1, wallTime: 1_795_000_000_000n } })
  for await (const stream of connection.streams) {
    const decoder = createFrameDecoder()
    decoder.push((await stream.read()) ?? new Uint8Array(0))
    const first = decoder.next()
    if (!first.ok || first.value?.case !== 'open' || first.value.value.protocol !== net.Protocol.JOIN) continue
    await stream.write(accepted)
    await stream.write(part)
    return
  }
}

test('of all peers together there is a bound, at which the one that holds most gives way, and nobody else', async () => {
  const heldBytes = 8 * 1024 * 1024
  const mesh = await twoNodes({ heldBytes })
  const [much, little] = [another(mesh, 0xe0), another(mesh, 0xe1)]
  const part = largePart()
  const connections = [await much.connect(), await little.connect()] as const
  const total = (): number => much.look().heldBytes + little.look().heldBytes
  const large: Promise<Frame | undefined>[] = []
  for (let streams = 0; streams < 6; streams += 1) large.push(lastOf(await hold(mesh, connections[0], part)))
  for (let streams = 1; streams <= 3; streams += 1) {
    await hold(mesh, connections[1], part)
    expect(total()).toBeLessThanOrEqual(heldBytes)
    expect(little.look().heldBytes).toBe(streams * heldOf(part))
  }
  // One of its streams had to end, and was told.
  expect(much.look().heldBytes).toBe(5 * heldOf(part))
  expect(await mesh.settle(Promise.race(large))).toMatchObject(REFUSED)
  // Another of its own is refused, as long as it holds most.
  expect(await mesh.settle(lastOf(await hold(mesh, connections[0], part)))).toMatchObject(REFUSED)
  expect(little.look().heldBytes).toBe(3 * heldOf(part))
  for (const { look } of [much, little]) expect(look()).toMatchObject({ standing: 'good', score: 0 })
  // Those that hold little are served all the while.
  mesh.connectAll()
  mesh.node(1).store.write(3)
  await mesh.until('the honest are in step', mesh.converged, 20_000)
})

test('a peer that connects without end is taken in so often, and then as time goes by', async () => {
  const { mesh, connect } = await attack()
  const connected = (): number =>
    mesh.node(0).events.filter((event) => 'kind' in event && event.kind === 'peer_disconnected').length
  const connectMany = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) await mesh.settle((await connect()).close('again'))
    await mesh.advance(10)
  }
  const startedMs = mesh.scheduler.clock.monotonicMs()
  await connectMany(PEER_CONNECTIONS.burst + 30)
  const passedMs = mesh.scheduler.clock.monotonicMs() - startedMs
  expect(connected()).toBeGreaterThanOrEqual(PEER_CONNECTIONS.burst)
  expect(connected()).toBeLessThanOrEqual(PEER_CONNECTIONS.burst + (passedMs * PEER_CONNECTIONS.perSecond) / 1000 + 1)
  const before = connected()
  await mesh.advance(5_000 / PEER_CONNECTIONS.perSecond)
  await connectMany(10)
  expect(connected() - before).toBe(5)
})
