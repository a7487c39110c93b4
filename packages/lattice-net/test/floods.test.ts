import { createAbortController, createSigner, type PublicKey, toSeed } from '@lattice/model'
import type { BiStream, Connection, Transport } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { DIGEST_EXCHANGE_COST, PEER_DIGESTS, PEER_JOINS, PEER_LOG_READS } from '../src/defence-limits.ts'
import { encodeFrame, type Frame, type FrameInit } from '../src/frame.ts'
import { createFrameDecoder } from '../src/frame-decoder.ts'
import { DEFAULT_LIMITS, MAX_JOINS_PER_CONNECTION, WITNESS_PAGE_RECORDS_LONG } from '../src/limits.ts'
import { type Mesh, openMesh } from './mesh.ts'

const { signal } = createAbortController()

interface Flooder {
  readonly id: PublicKey
  readonly transport: Transport
  readonly connect: () => Promise<Connection>
}

/** Two honest nodes that share a store, in step. A peer that may use the store can ask for more than a stranger. */
async function createVictims(): Promise<Mesh> {
  const mesh = await openMesh({ nodes: 2, network: { latencyMs: { min: 1, max: 1 } } })
  mesh.connectAll()
  mesh.node(0).store.write(5)
  await mesh.until('the honest are in step', mesh.converged)
  return mesh
}

function createFlooder(mesh: Mesh, index = 0): Flooder {
  const pair = mesh.crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(100 + index)))
  const transport = mesh.network.transport(createSigner(mesh.crypto, pair).publicKey)
  const connect = (): Promise<Connection> => mesh.settle(transport.connect(mesh.node(0).id, { addresses: [], signal }))
  return { id: transport.id, transport, connect }
}

const opening = (protocol: net.Protocol): Uint8Array =>
  encodeFrame({ case: 'open', value: { protocol, version: 1, wallTime: 1_795_000_000_000n } })

/** Opens a stream, says all of it, and answers with the last frame that came back. */
async function askOnce(mesh: Mesh, connection: Connection, [protocol, frame]: [net.Protocol, FrameInit]) {
  const stream = await mesh.settle(connection.open())
  const answers = createReader(stream)
  await mesh.settle(stream.write(opening(protocol)))
  await mesh.settle(stream.write(encodeFrame(frame)).catch(() => undefined))
  await mesh.settle(answers.next())
  const last = await mesh.settle(answers.next())
  stream.reset()
  return last
}

function createReader(stream: BiStream): { readonly next: () => Promise<Frame | undefined> } {
  const decoder = createFrameDecoder()
  return {
    next: async () => {
      for (;;) {
        const frame = decoder.next()
        if (frame.ok && frame.value !== undefined) return frame.value
        const bytes = await stream.read().catch(() => undefined)
        if (bytes === undefined) return undefined
        decoder.push(bytes)
      }
    },
  }
}

const misdeeds = (mesh: Mesh): readonly string[] =>
  mesh.node(0).events.flatMap((event) => ('kind' in event && event.kind === 'misbehaviour' ? [event.code] : []))

/** Both honest nodes write and are in step again. */
async function expectService(mesh: Mesh): Promise<void> {
  mesh.node(0).store.write(3)
  mesh.node(1).store.write(3)
  await mesh.until('the honest are in step during the flood', mesh.converged, 10_000)
}

const exceeded = { case: 'refused', value: { code: net.RefusalCode.LIMIT_EXCEEDED } }

describe('a flood from one peer', () => {
  test('of reads of the log gets slower than they are asked for, is no misdeed, and holds up nobody else', async () => {
    const mesh = await createVictims()
    const connection = await createFlooder(mesh).connect()
    const stream = await mesh.settle(connection.open())
    const answers = createReader(stream)
    await mesh.settle(stream.write(opening(net.Protocol.BOOTSTRAP)))
    await mesh.settle(answers.next())
    const request = encodeFrame({
      case: 'witnessPageRequest',
      value: { storeId: mesh.storeId, fromSeq: 1n, limit: WITNESS_PAGE_RECORDS_LONG },
    })
    const { monotonicMs: nowMs } = mesh.scheduler.clock
    const free = PEER_LOG_READS.burst / WITNESS_PAGE_RECORDS_LONG
    const askMany = async (count: number): Promise<number> => {
      const startedMs = nowMs()
      for (let index = 0; index < count; index += 1) {
        await stream.write(request)
        expect((await answers.next())?.case).toBe('witnessPage')
      }
      return nowMs() - startedMs
    }
    // The answer and the next request take two milliseconds; what is there at once takes no more.
    const freeMs = await mesh.settle(askMany(free))
    expect(freeMs).toBeLessThan(free * 10)
    const pageMs = (WITNESS_PAGE_RECORDS_LONG * 1000) / PEER_LOG_READS.perSecond
    const more = Math.ceil(DEFAULT_LIMITS.stepDeadlineMs / pageMs) + 10
    const slowMs = askMany(more)
    await expectService(mesh)
    // Far longer than a step, and still no fault of either side: what came back meanwhile is all that was free.
    expect(await mesh.settle(slowMs, 5 * 60_000)).toBeGreaterThan(more * pageMs - freeMs - 10_000)
    expect(misdeeds(mesh)).toEqual([])
  })

  test('of digest exchanges is refused, scored, and ends its connection', async () => {
    const mesh = await createVictims()
    const connection = await createFlooder(mesh).connect()
    const exchange: [net.Protocol, FrameInit] = [
      net.Protocol.DIGEST,
      { case: 'digests', value: { nonce: new Uint8Array(16), stores: [], addresses: [] } },
    ]
    let isOver = false
    connection.closed.then(() => (isOver = true)).catch(() => undefined)
    let asked = 0
    const answers: (Frame | undefined)[] = []
    for (; !isOver && asked < 1_000; asked += 1) {
      answers.push(await askOnce(mesh, connection, exchange).catch(() => undefined))
    }
    expect(asked).toBeGreaterThanOrEqual(PEER_DIGESTS.burst / DIGEST_EXCHANGE_COST)
    expect(asked).toBeLessThan(1_000)
    expect(answers).toContainEqual(expect.objectContaining({ case: 'refused' }))
    expect(misdeeds(mesh)).toContain('overuse_digests')
    await expectService(mesh)
  })

  test('of invites is refused over however many connections', async () => {
    const mesh = await createVictims()
    const flooder = createFlooder(mesh)
    const request: [net.Protocol, FrameInit] = [
      net.Protocol.JOIN,
      { case: 'joinRequest', value: { storeId: mesh.storeId, secret: new Uint8Array(32), name: '', addresses: [] } },
    ]
    const answers: (Frame | undefined)[] = []
    for (let tried = 0; tried <= PEER_JOINS.burst; tried += MAX_JOINS_PER_CONNECTION) {
      const connection = await flooder.connect()
      for (let index = 0; index < MAX_JOINS_PER_CONNECTION; index += 1) {
        answers.push(await askOnce(mesh, connection, request))
      }
      await mesh.settle(connection.close('again'))
    }
    const unknown = { case: 'refused', value: { code: net.RefusalCode.TOKEN_UNKNOWN } }
    expect(answers.slice(0, PEER_JOINS.burst)).toMatchObject(Array.from({ length: PEER_JOINS.burst }, () => unknown))
    expect(answers[PEER_JOINS.burst]).toMatchObject(exceeded)
    expect(misdeeds(mesh)).toContain('overuse_joins')
    await expectService(mesh)
  })
})

describe('a flood from 50 peers', () => {
  test('of streams that begin a frame and never end it holds a bounded number, and is over by the deadline', async () => {
    const mesh = await createVictims()
    const ended: Promise<void>[] = []
    for (let index = 0; index < 50; index += 1) {
      const connection = await createFlooder(mesh, index).connect()
      for (let streams = 0; streams < 4; streams += 1) {
        const stream = await mesh.settle(connection.open())
        await mesh.settle(stream.write(opening(net.Protocol.GOSSIP).subarray(0, 3)))
        ended.push(drain(stream))
      }
    }
    const startedMs = mesh.scheduler.clock.monotonicMs()
    await expectService(mesh)
    await mesh.settle(Promise.all(ended), 2 * DEFAULT_LIMITS.stepDeadlineMs)
    expect(mesh.scheduler.clock.monotonicMs() - startedMs).toBeLessThan(DEFAULT_LIMITS.stepDeadlineMs + 1_000)
    await expectService(mesh)
  })
})

async function drain(stream: BiStream): Promise<void> {
  const { next } = createReader(stream)
  while ((await next()) !== undefined);
}
