import { createAbortController, MAX_SIGNED_INTENTION_BYTES, toSeed } from '@lattice/model'
import type { BiStream, Connection } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { afterEach, expect, test } from 'vitest'
import { PEER_CONNECTIONS, PEER_HELD_BYTES } from '../src/defence-limits.ts'
import { createFrameDecoder } from '../src/frame-decoder.ts'
import { encodeFrame, type Frame } from '../src/frame.ts'
import { DEFAULT_LIMITS, MAX_DIFFERENCE_IDS, WANT_IDS_MAX } from '../src/limits.ts'
import { createMesh, type Mesh } from './mesh.ts'

const open: Mesh[] = []
afterEach(async () => {
  for (const mesh of open.splice(0)) await mesh.close()
})
const { signal } = createAbortController()

async function attack() {
  const mesh = await createMesh({ nodes: 2, network: { latencyMs: { min: 1, max: 1 } } })
  open.push(mesh)
  const { publicKey } = mesh.crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(0xee)))
  const transport = mesh.network.transport(publicKey)
  const connect = (): Promise<Connection> => mesh.settle(transport.connect(mesh.node(0).id, { addresses: [], signal }))
  const look = () => mesh.node(0).service.diagnosis(publicKey)
  return { mesh, connect, look }
}

const opening = (protocol: net.Protocol): Uint8Array =>
  encodeFrame({ case: 'open', value: { protocol, version: 1, wallTime: 1_795_000_000_000n } })

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
  // A frame that lacks its last byte, on as many streams as there are.
  const chunk = new Uint8Array(MAX_SIGNED_INTENTION_BYTES - 100)
  const junk = Array.from({ length: 4 }, () => ({ intention: chunk, signature: new Uint8Array(0) }))
  const part = encodeFrame({ case: 'intentions', value: { intentions: junk, last: false } }).subarray(0, -1)
  const streams: BiStream[] = []
  for (let index = 0; index < DEFAULT_LIMITS.streamsPerConnection - 1; index += 1) {
    const stream = await mesh.settle(connection.open())
    streams.push(stream)
    await mesh.settle(stream.write(opening(net.Protocol.FETCH)))
    await mesh.settle(stream.write(part))
  }
  await mesh.advance(50)
  // Without their lengths, which are read.
  expect(look().heldBytes).toBe(streams.length * (part.length - 3))
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
