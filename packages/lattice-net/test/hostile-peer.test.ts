import { createAbortController, createSigner, type PublicKey, toSeed } from '@lattice/model'
import type { BiStream, Connection, Transport } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { encodeFrame, type Frame, type FrameInit } from '../src/frame.ts'
import { createFrameDecoder } from '../src/frame-decoder.ts'
import { SHUT_OUT_SCORE } from '../src/defence-limits.ts'
import { DEFAULT_LIMITS, MAX_TURNED_AWAY } from '../src/limits.ts'
import { type Mesh, openMesh } from './mesh.ts'

const { signal } = createAbortController()

interface Attacker {
  readonly mesh: Mesh
  readonly id: PublicKey
  readonly transport: Transport
  readonly connect: () => Promise<Connection>
}

/** A node with one service and a bare transport that says what it likes. */
async function attack(limits: Partial<typeof DEFAULT_LIMITS> = {}): Promise<Attacker> {
  const mesh = await openMesh({ nodes: 1, limits })
  const pair = mesh.crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(0xee)))
  const { publicKey: id } = createSigner(mesh.crypto, pair)
  const transport = mesh.network.transport(id)
  return { mesh, id, transport, connect: () => transport.connect(mesh.node(0).id, { addresses: [], signal }) }
}

async function readFrames(stream: BiStream): Promise<Frame[]> {
  const decoder = createFrameDecoder()
  const frames: Frame[] = []
  try {
    for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) {
      decoder.push(bytes)
      for (let next = decoder.next(); next.ok && next.value !== undefined; next = decoder.next())
        frames.push(next.value)
    }
  } catch {
    // Reset: what came before counts.
  }
  return frames
}

const openFrame = (protocol: number): FrameInit => ({
  case: 'open',
  value: { protocol: protocol as net.Protocol, version: 1, wallTime: 1_795_000_000_000n },
})
const misbehaved = ({ mesh }: Attacker): readonly unknown[] =>
  mesh.node(0).events.flatMap((event) => ('kind' in event && event.kind === 'misbehaviour' ? [event.code] : []))

describe('a hostile peer', () => {
  test.each<[string, Uint8Array, string]>([
    ['garbage', new Uint8Array([9, 255, 255, 255, 255, 255, 255, 255, 255, 255]), 'frame_malformed'],
    ['an endless length', new Uint8Array([255, 255, 255, 255]), 'frame_too_large'],
    ['a frame of another kind first', encodeFrame({ case: 'done', value: {} }), 'not_opened_first'],
  ])('that opens with %s is told, scored, cut off and shut out', async (_, bytes, code) => {
    const attacker = await attack()
    const { mesh } = attacker
    const connection = await mesh.settle(attacker.connect())
    const stream = await mesh.settle(connection.open())
    await mesh.settle(stream.write(bytes))
    const frames = await mesh.settle(readFrames(stream))
    if (frames.length > 0) {
      expect(frames).toMatchObject([{ case: 'refused', value: { code: net.RefusalCode.PROTOCOL_VIOLATION } }])
    }
    await mesh.settle(connection.closed)
    expect(misbehaved(attacker)).toEqual([code])
    const again = await mesh.settle(attacker.connect())
    await mesh.settle(again.closed)
    await mesh.advance(DEFAULT_LIMITS.muteMs)
    await mesh.settle(attacker.connect())
    await mesh.until('welcome again', () => mesh.node(0).service.connectedPeers().length === 1, 1_000)
  })

  test('that asks for an unknown protocol gets a reason, and keeps its connection', async () => {
    const attacker = await attack()
    const { mesh } = attacker
    const connection = await mesh.settle(attacker.connect())
    const stream = await mesh.settle(connection.open())
    await mesh.settle(stream.write(encodeFrame(openFrame(77))))
    const frames = readFrames(stream)
    await mesh.settle(stream.finish())
    expect(await mesh.settle(frames)).toMatchObject([
      { case: 'refused', value: { code: net.RefusalCode.PROTOCOL_UNKNOWN } },
    ])
    expect(misbehaved(attacker)).toEqual([])
    expect(mesh.node(0).service.connectedPeers()).toHaveLength(1)
  })

  test('that opens a stream and says nothing loses it by the deadline', async () => {
    const attacker = await attack()
    const { mesh } = attacker
    const connection = await mesh.settle(attacker.connect())
    const stream = await mesh.settle(connection.open())
    // Three bytes of a frame, then silence.
    await mesh.settle(stream.write(encodeFrame(openFrame(net.Protocol.RECONCILE)).subarray(0, 3)))
    const started = mesh.scheduler.clock.monotonicMs()
    await mesh.settle(readFrames(stream))
    expect(mesh.scheduler.clock.monotonicMs() - started).toBeLessThan(DEFAULT_LIMITS.stepDeadlineMs + 1_000)
  })

  test('that drips a byte now and then does not live longer than a step', async () => {
    const attacker = await attack()
    const { mesh } = attacker
    const connection = await mesh.settle(attacker.connect())
    const stream = await mesh.settle(connection.open())
    const bytes = encodeFrame({ case: 'reconcile', value: { message: new Uint8Array(5_000) } })
    let lost = false
    const started = mesh.scheduler.clock.monotonicMs()
    for (let offset = 0; offset < 100 && !lost; offset += 1) {
      await mesh.settle(
        stream.write(bytes.subarray(offset, offset + 1)).catch(() => {
          lost = true
        }),
      )
      await mesh.advance(5_000)
    }
    expect(lost).toBe(true)
    expect(mesh.scheduler.clock.monotonicMs() - started).toBeLessThan(2 * DEFAULT_LIMITS.stepDeadlineMs)
  })

  test('that opens more streams than it may is turned away on the rest', async () => {
    const attacker = await attack({ streamsPerConnection: 2 })
    const { mesh } = attacker
    const connection = await mesh.settle(attacker.connect())
    const streams: BiStream[] = []
    for (let index = 0; index < 4; index += 1) {
      const stream = await mesh.settle(connection.open())
      await mesh.settle(stream.write(encodeFrame(openFrame(net.Protocol.GOSSIP))))
      streams.push(stream)
    }
    expect(MAX_TURNED_AWAY).toBeGreaterThan(2)
    const [, , third, fourth] = streams
    for (const stream of [third, fourth]) {
      if (stream === undefined) throw new Error('four were opened')
      expect(await mesh.settle(readFrames(stream))).toMatchObject([
        { case: 'refused', value: { code: net.RefusalCode.BUSY } },
      ])
    }
  })

  test('that asks for a store it may not use and for one that does not exist gets the same bytes', async () => {
    const attacker = await attack()
    const { mesh } = attacker
    mesh.node(0).store.setAccess(() => 'none')
    const connection = await mesh.settle(attacker.connect())
    const answers: Frame[][] = []
    for (const storeId of [mesh.storeId, new Uint8Array(32).fill(1)]) {
      const requests: [net.Protocol, FrameInit][] = [
        [net.Protocol.RECONCILE, { case: 'hello', value: { storeId, fingerprint: new Uint8Array(32) } }],
        [net.Protocol.BOOTSTRAP, { case: 'witnessPageRequest', value: { storeId, fromSeq: 1n, limit: 1 } }],
        [net.Protocol.FETCH, { case: 'fetchIntentions', value: { storeId, ids: [mesh.storeId] } }],
        [net.Protocol.FETCH, { case: 'fetchChain', value: { storeId, target: mesh.storeId, limit: 4 } }],
      ]
      const frames: Frame[] = []
      for (const [protocol, request] of requests) {
        const stream = await mesh.settle(connection.open())
        await mesh.settle(stream.write(encodeFrame(openFrame(protocol))))
        await mesh.settle(stream.write(encodeFrame(request)))
        const answer = readFrames(stream)
        await mesh.settle(stream.finish().catch(() => undefined))
        frames.push(...(await mesh.settle(answer)).filter((frame) => frame.case === 'refused'))
      }
      answers.push(frames)
    }
    expect(answers[0]).toHaveLength(4)
    expect(answers[0]).toEqual(answers[1])
    expect(misbehaved(attacker)).toEqual([])
  })

  test('that pushes invalid intentions is scored, muted, and cut off when it goes on; nothing is stored', async () => {
    const attacker = await attack()
    const { mesh } = attacker
    const connection = await mesh.settle(attacker.connect())
    const stream = await mesh.settle(connection.open())
    await mesh.settle(stream.write(encodeFrame(openFrame(net.Protocol.GOSSIP))))
    const junk = Array.from({ length: 40 }, () => ({ intention: new Uint8Array(30), signature: new Uint8Array(9) }))
    const topic = new Uint8Array(32)
    const push = encodeFrame({ case: 'push', value: { topic, storeId: mesh.storeId, round: 1, intentions: junk } })
    await mesh.settle(stream.write(push))
    await mesh.advance(1_000)
    expect(misbehaved(attacker)).toHaveLength(1)
    expect(mesh.node(0).service.connectedPeers()).toHaveLength(1)
    // What it asks for next is refused, in whatever protocol, and so is everything after.
    for (const protocol of [net.Protocol.GOSSIP, net.Protocol.DIGEST, net.Protocol.PING, net.Protocol.RECONCILE]) {
      const next = await mesh.settle(connection.open())
      await mesh.settle(next.write(encodeFrame(openFrame(protocol))))
      expect(await mesh.settle(readFrames(next))).toMatchObject([
        { case: 'refused', value: { code: net.RefusalCode.BUSY } },
      ])
    }
    expect(mesh.node(0).service.connectedPeers()).toHaveLength(1)
    for (let tries = 0; tries < SHUT_OUT_SCORE && mesh.node(0).service.connectedPeers().length > 0; tries += 1) {
      const next = await mesh.settle(connection.open())
      await mesh.settle(next.write(encodeFrame(openFrame(net.Protocol.PING))))
      await mesh.settle(readFrames(next))
    }
    await mesh.settle(connection.closed)
    expect(misbehaved(attacker).at(-1)).toBe('asked_while_muted')
    expect(mesh.node(0).service.connectedPeers()).toEqual([])
    expect(mesh.node(0).store.digest().witnessCount).toBe(1)
  })

  test('that answers a digest exchange with nonsense is cut off', async () => {
    const attacker = await attack()
    const { mesh, id, transport } = attacker
    mesh.node(0).service.want(id, [])
    const incoming = await mesh.settle(transport.incoming[Symbol.asyncIterator]().next())
    if (incoming.done === true) throw new Error('a connection was wanted')
    const first = await mesh.settle(incoming.value.streams[Symbol.asyncIterator]().next())
    if (first.done === true) throw new Error('a stream was wanted')
    await mesh.settle(first.value.write(encodeFrame({ case: 'accepted', value: { version: 1, wallTime: 5n } })))
    await mesh.settle(first.value.write(encodeFrame({ case: 'digests', value: { nonce: new Uint8Array(16) } })))
    await mesh.settle(incoming.value.closed)
    expect(misbehaved(attacker)).toEqual(['digests_another_nonce'])
  })

  test('a store that fails holds up its own sessions only, and the failure stays here', async () => {
    const mesh = await openMesh({ nodes: 2 })
    mesh.node(0).store.write(10)
    mesh.node(1).store.beforeIngest = () => Promise.reject(new Error('no space left on /dev/secret'))
    mesh.connectAll()
    await mesh.advance(20_000)
    const failures = mesh
      .node(0)
      .events.flatMap((event) =>
        'kind' in event && event.kind === 'sync_result' && event.outcome.kind === 'failed' ? [event.outcome.error] : [],
      )
    expect(failures.length).toBeGreaterThan(0)
    for (const error of failures) expect(error.message).not.toContain('secret')
    mesh.node(1).store.beforeIngest = async () => undefined
    await mesh.until('convergence', mesh.converged, 5 * 60_000)
  })
})
