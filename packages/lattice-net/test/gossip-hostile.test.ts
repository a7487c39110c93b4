import { createAbortController, createSigner, type PublicKey, toSeed } from '@lattice/model'
import type { BiStream, Connection } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { encodeFrame, type Frame, type FrameInit, toWire } from '../src/frame.ts'
import { createFrameDecoder } from '../src/frame-decoder.ts'
import { gossipTopic } from '../src/gossip/gossip-topic.ts'
import { GRAFT_IDS_MAX, IHAVE_IDS_MAX, SHUFFLE_SAMPLE_MAX } from '../src/limits.ts'
import { type Mesh, openMesh } from './mesh.ts'

interface Attacker {
  readonly mesh: Mesh
  readonly id: PublicKey
  readonly topic: Uint8Array
  readonly connection: Connection
  /** Sends frames over its gossip stream. */
  readonly say: (...frames: readonly FrameInit[]) => Promise<void>
  /** What came back so far, without the answer to the opening. */
  readonly heard: readonly Frame[]
  readonly misdeeds: () => readonly string[]
}

/** A node and a peer that may use its store, which says what it likes over a gossip stream of its own. */
async function attack({ isMember = true } = {}): Promise<Attacker> {
  const mesh = await openMesh({ nodes: 1 })
  const pair = mesh.crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(0xee)))
  const { publicKey: id } = createSigner(mesh.crypto, pair)
  if (!isMember) mesh.node(0).store.setAccess(() => 'none')
  const { signal } = createAbortController()
  const transport = mesh.network.transport(id)
  const connection = await mesh.settle(transport.connect(mesh.node(0).id, { addresses: [], signal }))
  const stream = await mesh.settle(connection.open())
  const heard: Frame[] = []
  follow(stream, heard).catch(() => undefined)
  const say = async (...frames: readonly FrameInit[]): Promise<void> => {
    for (const frame of frames) await mesh.settle(stream.write(encodeFrame(frame)).catch(() => undefined))
    await mesh.advance(200)
  }
  await say({ case: 'open', value: { protocol: net.Protocol.GOSSIP, version: 1, wallTime: 1_795_000_000_000n } })
  const misdeeds = (): readonly string[] =>
    mesh.node(0).events.flatMap((event) => ('kind' in event && event.kind === 'misbehaviour' ? [event.code] : []))
  const topic = gossipTopic(mesh.crypto, mesh.storeId, [])
  return { mesh, id, topic, connection, say, heard, misdeeds }
}

async function follow(stream: BiStream, heard: Frame[]): Promise<void> {
  const decoder = createFrameDecoder()
  try {
    for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) {
      decoder.push(bytes)
      for (let next = decoder.next(); next.ok && next.value !== undefined; next = decoder.next()) {
        if (next.value.case !== 'accepted') heard.push(next.value)
      }
    }
  } catch {
    // Reset: what came before counts.
  }
}

const id = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
const some = (count: number): Uint8Array[] => Array.from({ length: count }, (_, index) => id(index % 251))

describe('a hostile neighbour', () => {
  test('learns nothing from stores and topics that are not here, or not shared with it', async () => {
    const answers: unknown[] = []
    for (const isMember of [true, false]) {
      const { mesh, say, heard, topic, misdeeds } = await attack({ isMember })
      const asked = isMember ? { topic: id(7), storeId: id(8) } : { topic, storeId: mesh.storeId }
      await say(
        { case: 'membership', value: { topic: asked.topic, kind: net.MembershipKind.JOIN } },
        { case: 'ihave', value: { ...asked, ids: some(2), rounds: [1, 1] } },
        { case: 'graft', value: { ...asked, ids: some(2) } },
        { case: 'prune', value: { topic: asked.topic } },
        { case: 'heartbeat', value: { stores: [{ storeId: asked.storeId, witnessCount: 9n, fingerprint: id(1) }] } },
        { case: 'push', value: { ...asked, round: 1, intentions: [{ intention: id(3), signature: id(4) }] } },
      )
      answers.push(heard.map(({ case: kind, value }) => [kind, 'refused' in value ? value.refused : undefined]))
      expect(misdeeds()).toEqual([])
    }
    expect(answers[0]).toHaveLength(6)
    expect(answers[0]).toEqual(answers[1])
  })

  const topic = id(1)
  test.each<[string, FrameInit, string]>([
    ['half a topic', { case: 'prune', value: { topic: new Uint8Array(31) } }, 'topic_malformed'],
    [
      'ids too many',
      { case: 'ihave', value: { topic, storeId: id(2), ids: some(IHAVE_IDS_MAX + 1) } },
      'ihave_too_many_ids',
    ],
    [
      'rounds too few',
      { case: 'ihave', value: { topic, storeId: id(2), ids: some(2), rounds: [1] } },
      'ihave_rounds_do_not_match',
    ],
    [
      'a graft of too much',
      { case: 'graft', value: { topic, storeId: id(2), ids: some(GRAFT_IDS_MAX + 1) } },
      'graft_too_many_ids',
    ],
    [
      'an unknown kind',
      { case: 'membership', value: { topic, kind: 99 as net.MembershipKind } },
      'membership_kind_unknown',
    ],
    [
      'a sample too large',
      {
        case: 'membership',
        value: { topic, kind: net.MembershipKind.SHUFFLE, peer: id(2), sample: some(SHUFFLE_SAMPLE_MAX + 1) },
      },
      'membership_sample_too_large',
    ],
    [
      'hints of half a key',
      { case: 'membership', value: { topic, kind: net.MembershipKind.JOIN, hints: [{ peer: new Uint8Array(3) }] } },
      'membership_hint_malformed',
    ],
    [
      'half a claim',
      { case: 'heartbeat', value: { stores: [{ storeId: id(2), fingerprint: id(3).slice(1) }] } },
      'heartbeat_malformed',
    ],
    ['an answer to nothing', { case: 'noted', value: {} }, 'unexpected_noted'],
  ])('that sends %s is told, scored and cut off', async (_, frame, code) => {
    const { mesh, connection, say, heard, misdeeds } = await attack()
    await say(frame)
    await mesh.settle(connection.closed)
    expect(misdeeds()).toEqual([code])
    expect(heard.at(-1)).toMatchObject({ case: 'refused', value: { code: net.RefusalCode.PROTOCOL_VIOLATION } })
  })

  test('that announces what never comes costs one graft for each, and a few sessions', async () => {
    const { mesh, topic: here, say, misdeeds } = await attack()
    await say({ case: 'membership', value: { topic: here, kind: net.MembershipKind.JOIN } })
    const before = mesh.scheduler.pending()
    for (let round = 0; round < 40; round += 1) {
      const ids = Array.from({ length: IHAVE_IDS_MAX }, (_, index) =>
        mesh.crypto.blake3(id(round), id(index % 256), id(index >> 8)),
      )
      await say({ case: 'ihave', value: { topic: here, storeId: mesh.storeId, ids, rounds: ids.map(() => 1) } })
    }
    // Of 20,480 ids a bounded number is waited for.
    expect(mesh.scheduler.pending()).toBeLessThan(before + 400)
    await mesh.advance(60_000)
    const syncs = mesh.node(0).events.filter((event) => 'kind' in event && event.kind === 'sync_result').length
    expect(syncs).toBeLessThan(20)
    expect(misdeeds()).toEqual([])
  })

  test('that grafts the same again and again is answered a few times', async () => {
    const { mesh, topic: here, say, connection, heard } = await attack()
    const pushed: Frame[] = []
    const streams = connection.streams[Symbol.asyncIterator]()
    await say({ case: 'membership', value: { topic: here, kind: net.MembershipKind.JOIN } })
    const acceptAll = async (): Promise<void> => {
      for (let next = await streams.next(); next.done !== true; next = await streams.next()) {
        await next.value.write(encodeFrame({ case: 'accepted', value: { version: 1, wallTime: 5n } }))
        follow(next.value, pushed).catch(() => undefined)
      }
    }
    acceptAll().catch(() => undefined)
    mesh.node(0).store.write(1)
    await mesh.advance(500)
    const [written] = mesh.node(0).store.ids().slice(-1)
    if (written === undefined) throw new Error('something was written')
    const before = heard.length
    for (let round = 0; round < 300; round += 1) {
      await say({ case: 'graft', value: { topic: here, storeId: mesh.storeId, ids: [written] } })
    }
    expect(heard.length - before).toBe(300)
    expect(pushed.filter((frame) => frame.case === 'push').length).toBeLessThan(10)
  })

  test('that opens gossip streams without end has two of them served', async () => {
    const { mesh, connection } = await attack()
    const answers: Frame[][] = []
    for (let index = 0; index < 3; index += 1) {
      const stream = await mesh.settle(connection.open())
      const value = { protocol: net.Protocol.GOSSIP, version: 1, wallTime: 1_795_000_000_000n }
      await mesh.settle(stream.write(encodeFrame({ case: 'open', value })))
      const heard: Frame[] = []
      follow(stream, heard).catch(() => undefined)
      answers.push(heard)
    }
    await mesh.advance(1_000)
    // Which of them came first, the network decides.
    const refusals = answers.flatMap((heard) =>
      heard.flatMap((frame) => (frame.case === 'refused' ? frame.value.code : [])),
    )
    expect(refusals).toEqual([net.RefusalCode.BUSY, net.RefusalCode.BUSY])
  })

  test('that pushes what the store does not accept is not helped along', async () => {
    const mesh = await openMesh({ nodes: 3 })
    const ids = mesh.nodes.map((node) => node.id)
    for (const { service } of mesh.nodes) service.circles([{ owner: mesh.storeId, peers: ids, stores: [mesh.storeId] }])
    await mesh.until('connections', () => mesh.nodes.every(({ service }) => service.connectedPeers().length === 2))
    await mesh.advance(5_000)
    const [victim, author, witness] = mesh.nodes
    if (victim === undefined || author === undefined || witness === undefined) throw new Error('there are three')
    const [written] = author.store.write(1)
    if (written === undefined) throw new Error('something was written')
    await mesh.until('the write', mesh.converged)
    const { calls } = witness.store.ingested()
    // The same with another time: well-formed, and not what was signed.
    const flawed = Uint8Array.from(written.bytes)
    flawed.set([1], 40)
    const intentions = toWire([{ bytes: flawed, signature: written.signature }])
    const pair = mesh.crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(0xee)))
    const transport = mesh.network.transport(createSigner(mesh.crypto, pair).publicKey)
    const { signal } = createAbortController()
    const connection = await mesh.settle(transport.connect(victim.id, { addresses: [], signal }))
    const stream = await mesh.settle(connection.open())
    const first = { protocol: net.Protocol.GOSSIP, version: 1, wallTime: 1_795_000_000_000n }
    await mesh.settle(stream.write(encodeFrame({ case: 'open', value: first })))
    const value = { topic: id(1), storeId: mesh.storeId, round: 1, intentions }
    await mesh.settle(stream.write(encodeFrame({ case: 'push', value })))
    await mesh.advance(3_000)
    expect(victim.events.some((event) => 'kind' in event && event.kind === 'misbehaviour')).toBe(true)
    expect(witness.store.ingested().calls).toBe(calls)
  })

  test('that announces a run and gives another is scored', async () => {
    const { mesh, id: attacker, connection, topic: here, say, misdeeds } = await attack()
    const streams = connection.streams[Symbol.asyncIterator]()
    const announced = { id: id(9), author: id(8), intentions: 2, bytes: 40_000n }
    await say({ case: 'push', value: { topic: here, storeId: mesh.storeId, round: 1, announced } })
    const junk = [{ intention: new Uint8Array(20_000), signature: id(1) }]
    for (let found = false; !found;) {
      const next = await mesh.settle(streams.next())
      if (next.done === true) throw new Error('a fetch was to come')
      const bytes = await mesh.settle(next.value.read())
      const decoder = createFrameDecoder()
      decoder.push(bytes ?? new Uint8Array(0))
      const frame = decoder.next()
      found = frame.ok && frame.value?.case === 'open' && frame.value.value.protocol === net.Protocol.FETCH
      await mesh.settle(next.value.write(encodeFrame({ case: 'accepted', value: { version: 1, wallTime: 5n } })))
      if (found) {
        await mesh.settle(
          next.value.write(encodeFrame({ case: 'intentions', value: { intentions: junk, last: true } })),
        )
      }
    }
    await mesh.settle(connection.closed)
    expect(misdeeds()).toEqual(['fetched_another_run'])
    expect(mesh.node(0).service.diagnosis(attacker).mutedForMs).toBeGreaterThan(0)
  })
})
