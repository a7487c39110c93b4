import { type Crypto, type StoreId, toStoreId } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { net } from '@lattice/proto'
import { beforeAll, describe, expect, test } from 'vitest'
import type { FrameInit } from '../src/frame.ts'
import { createGossipReceiver, type GossipReceiverOptions } from '../src/gossip/gossip-receiver.ts'
import { splitRuns } from '../src/gossip/gossip-run.ts'
import { createGossipSender, type OfferedRun } from '../src/gossip/gossip-sender.ts'
import { gossipTopic, type Topic } from '../src/gossip/gossip-topic.ts'
import { gossipPayload } from '../src/gossip/tree-frames.ts'
import { NOTE_QUEUE_FRAMES, NOTE_WINDOW, PUSH_QUEUE_FRAMES, PUSH_WINDOW } from '../src/limits.ts'
import { acceptOpening, withOpening } from '../src/opening.ts'
import type { SessionStore } from '../src/session-call.ts'
import type { SessionMachine } from '../src/session.ts'
import { converse, drive, feed, toFrame } from './drive.ts'
import type { ModelStore } from './model-store.ts'
import { createPair } from './pair.ts'

let crypto: Crypto
beforeAll(async () => {
  crypto = await openCrypto({ backend: 'wasm' })
})

const ignored = {
  onUnshared: (): void => undefined,
  onDigest: (): void => undefined,
  onStranger: (): void => undefined,
}
const other = toStoreId(new Uint8Array(32).fill(3))

function receiverFor(options: Partial<GossipReceiverOptions>): SessionMachine<void> {
  return createGossipReceiver({
    crypto,
    resolve: () => undefined,
    isNew: () => true,
    onTold: () => undefined,
    note: () => undefined,
    ...options,
  })
}
/** What one write is offered as. */
function written(store: ModelStore, count: number, bytes?: number): OfferedRun {
  const { runs } = splitRuns(store.write(count, bytes))
  const [run] = runs
  if (run === undefined || runs.length > 1) throw new Error('a write is one run')
  const payload = gossipPayload(run.author, run.intentions)
  const message = { kind: 'gossip', store: store.id, id: run.id, round: 1, payload } as const
  return { topic: topicOf(), message, digest: store.digest() }
}
const ofStore = (offered: OfferedRun, store: StoreId): OfferedRun => ({
  ...offered,
  message: { ...offered.message, store },
})
const topicOf = (): Topic => gossipTopic(crypto, other, [])

describe('runs over a gossip stream', () => {
  test('goes over in order, within the window, and is answered with counts', async () => {
    const { a, b, viewOfB } = await createPair()
    const sender = createGossipSender(ignored)
    for (let run = 0; run < 3 * PUSH_WINDOW; run += 1) {
      sender.offer(written(a.store, 2))
    }
    expect(sender.busy(a.store.id)).toBe(true)
    const driven = drive(sender)
    await driven.take(sender.start())
    expect(driven.outbox).toHaveLength(PUSH_WINDOW)
    const receiver = receiverFor({ resolve: () => viewOfB })
    const { b: answers } = await converse({ ...sender, start: () => [] }, receiver)
    expect(answers.failure).toBeUndefined()
    for (let frame = driven.outbox.shift(); frame !== undefined; frame = driven.outbox.shift()) {
      const reply = await feed({ ...receiver, start: () => receiver.receive(frame as never) }, [])
      for (const result of reply.sent) await driven.take(sender.receive(result))
    }
    expect(b.store.digest()).toEqual({ ...a.store.digest(), tipsDigest: b.store.digest().tipsDigest })
    expect(sender.busy(a.store.id)).toBe(false)
    expect(sender.idle?.()).toBe(true)
  })

  test('what does not fit takes everything queued of its store with it, and nothing else', async () => {
    const { a } = await createPair()
    const sender = createGossipSender(ignored)
    const push = written(a.store, 1)
    expect(sender.offer(ofStore(push, other))).toBe(true)
    for (let index = 1; index < PUSH_QUEUE_FRAMES; index += 1) expect(sender.offer(push)).toBe(true)
    expect(sender.offer(push)).toBe(false)
    expect(sender.busy(a.store.id)).toBe(false)
    expect(sender.unsettled()).toEqual([other])
    expect(sender.offer(push)).toBe(true)
  })

  test('a held store waits, and another goes before it', async () => {
    const { a } = await createPair()
    const sender = createGossipSender(ignored)
    const push = written(a.store, 1)
    sender.hold(a.store.id)
    sender.offer(push)
    sender.offer(ofStore(push, other))
    const storesOf = (effects: ReturnType<typeof sender.flush>): unknown[] =>
      effects.map((effect) => {
        const frame = effect.kind === 'send' ? toFrame(effect.frame) : undefined
        return frame?.case === 'push' ? frame.value.storeId[0] : undefined
      })
    expect(storesOf(sender.start())).toEqual([3])
    sender.release(a.store.id)
    expect(storesOf(sender.flush())).toEqual([a.store.id[0]])
  })

  test('a store the receiver does not share is refused in its place, and the stream goes on', async () => {
    const { a, b, viewOfB } = await createPair()
    const unshared: StoreId[] = []
    const sender = createGossipSender({ ...ignored, onUnshared: (id) => unshared.push(id) })
    const push = written(a.store, 1)
    sender.offer(ofStore(push, other))
    sender.offer(push)
    const receiver = receiverFor({ resolve: (id) => (id[0] === 3 ? undefined : viewOfB) })
    const opening = withOpening(sender, { protocol: net.Protocol.GOSSIP, wallMs: 1, onPeerWall: () => undefined })
    const accepting = acceptOpening<void>({ wallMs: 1, onPeerWall: () => undefined, select: () => receiver })
    const { a: side } = await converse(opening, accepting)
    expect(side.failure).toBeUndefined()
    expect(unshared).toEqual([other])
    expect(b.store.digest().witnessCount).toBe(2)
    expect(sender.unsettled()).toEqual([])
  })

  test('a large run is announced, and one within a batch says no digest', async () => {
    const { a } = await createPair()
    const sender = createGossipSender(ignored)
    const large = written(a.store, 3, 9_000)
    sender.offer(large)
    sender.offer({ ...written(a.store, 1), digest: undefined })
    const frames = sender.start().flatMap((effect) => (effect.kind === 'send' ? [toFrame(effect.frame)] : []))
    expect(frames).toMatchObject([
      { case: 'push', value: { round: 1, witnessCount: 4n, intentions: [], announced: { intentions: 3 } } },
      { case: 'push', value: { round: 1, witnessCount: 0n, fingerprint: new Uint8Array(0) } },
    ])
    const [frame] = frames
    expect(frame?.case === 'push' && frame.value.announced?.id).toEqual(Uint8Array.from(large.message.id))
  })

  test('a result that is not owed, and another refusal, end it', async () => {
    const sender = createGossipSender(ignored)
    expect((await feed(sender, [{ case: 'pushResult', value: {} }])).failure).toMatchObject({
      why: 'push_result_not_owed',
    })
    expect(sender.refused?.(toFrame({ case: 'refused', value: { code: 13 } }).value as net.Refused)).toMatchObject([
      { kind: 'fail', failure: { kind: 'refused', refusal: 13 } },
    ])
  })

  const head = { topic: new Uint8Array(32), storeId: new Uint8Array(32), round: 1 }
  const unsigned = [{ intention: new Uint8Array(10), signature: new Uint8Array(0) }]
  const signed = [{ intention: new Uint8Array(10), signature: new Uint8Array(64) }]
  const large = Array.from({ length: 2 }, () => ({ intention: new Uint8Array(9_000), signature: new Uint8Array(64) }))
  const many = Array.from({ length: 257 }, () => ({ intention: new Uint8Array(1), signature: new Uint8Array(1) }))
  const announced = { id: new Uint8Array(32), author: new Uint8Array(32), intentions: 1, bytes: 20_000n }
  test.each<[string, FrameInit, string]>([
    ['an empty push', { case: 'push', value: head }, 'broadcast_empty'],
    ['half a digest', { case: 'push', value: { ...head, witnessCount: 4n, intentions: signed } }, 'push_malformed'],
    ['no topic', { case: 'push', value: { ...head, topic: new Uint8Array(0) } }, 'topic_malformed'],
    ['half a store id', { case: 'push', value: { ...head, storeId: new Uint8Array(31) } }, 'store_id_malformed'],
    ['a hop too few', { case: 'push', value: { ...head, round: 0, intentions: signed } }, 'round_out_of_range'],
    ['hops too many', { case: 'push', value: { ...head, round: 256, intentions: signed } }, 'round_out_of_range'],
    ['a run too large', { case: 'push', value: { ...head, intentions: large } }, 'broadcast_too_large'],
    ['a run too long', { case: 'push', value: { ...head, intentions: many } }, 'broadcast_too_large'],
    ['an open run', { case: 'push', value: { ...head, intentions: unsigned } }, 'broadcast_not_closed'],
    [
      'a run given and announced',
      { case: 'push', value: { ...head, intentions: signed, announced } },
      'broadcast_ambiguous',
    ],
    [
      'an announcement of too much',
      { case: 'push', value: { ...head, announced: { ...announced, intentions: 256, bytes: 2n ** 21n } } },
      'announced_too_large',
    ],
    [
      'an announcement of half an id',
      { case: 'push', value: { ...head, announced: { ...announced, id: new Uint8Array(31) } } },
      'announcement_malformed',
    ],
    ['another frame', { case: 'pushResult', value: {} }, 'unexpected_pushResult'],
  ])('the receiver: %s ends it', async (_, frame, why) => {
    const { viewOfB } = await createPair()
    expect((await feed(receiverFor({ resolve: () => viewOfB }), [frame])).failure).toEqual({
      kind: 'violation',
      why,
    })
  })

  test('the answer says what the receiver holds then, and the sender is told', async () => {
    const { a, viewOfB } = await createPair()
    const heard: unknown[] = []
    const sender = createGossipSender({ ...ignored, onDigest: (id, digest) => heard.push([id, digest]) })
    sender.offer({ ...written(a.store, 2), digest: undefined })
    sender.offer(written(a.store, 2))
    const { a: side, b: answers } = await converse(sender, receiverFor({ resolve: () => viewOfB }))
    expect(side.failure).toBeUndefined()
    const counts = answers.sent.map((frame) => frame.case === 'pushResult' && frame.value.witnessCount)
    expect(counts).toEqual([0n, 5n])
    const { witnessCount, fingerprint } = a.store.digest()
    expect(heard).toEqual([[a.store.id, { witnessCount, fingerprint }]])
  })

  test('a run that is here already is answered without being taken in', async () => {
    const { a, b, viewOfB } = await createPair()
    const sender = createGossipSender(ignored)
    sender.offer(written(a.store, 2))
    const receiver = receiverFor({ resolve: () => viewOfB, isNew: () => false })
    const { b: answers } = await converse(sender, receiver)
    expect(answers.sent).toMatchObject([{ case: 'pushResult', value: { witnessed: 0, witnessCount: 1n } }])
    expect(b.store.ingested().calls).toBe(0)
    expect(sender.busy(a.store.id)).toBe(false)
  })

  test('a receiver that no longer shares the store with the sender says nothing of it', async () => {
    const { a, viewOfB } = await createPair()
    let allowed = true
    const view = {
      ...viewOfB,
      allowed: () => allowed,
      ingest: async (batch: Parameters<typeof viewOfB.ingest>[0]) => {
        allowed = false
        return viewOfB.ingest(batch)
      },
    }
    const sender = createGossipSender(ignored)
    sender.offer(written(a.store, 1))
    const { b: answers } = await converse(sender, receiverFor({ resolve: () => view }))
    expect(answers.sent[0]?.value).toMatchObject({ witnessCount: 0n, fingerprint: new Uint8Array(0) })
  })

  test.each<[string, object, string]>([
    ['for another store', { storeId: new Uint8Array(32) }, 'push_result_for_another_store'],
    ['with half a digest', { witnessCount: 4n }, 'push_result_malformed'],
  ])('a result %s ends it', async (_, change, why) => {
    const { a } = await createPair()
    const sender = createGossipSender(ignored)
    sender.offer(written(a.store, 1))
    const { failure } = await feed(sender, [{ case: 'pushResult', value: { storeId: a.store.id, ...change } }])
    expect(failure).toEqual({ kind: 'violation', why })
  })

  test('a sender that does not wait for answers is cut off: what is owed to it is bounded', async () => {
    const { b, viewOfB } = await createPair()
    const viewed: SessionStore[] = []
    const receiver = receiverFor({ resolve: () => viewed[0] })
    viewed.push(viewOfB)
    const push = toFrame({ case: 'push', value: { ...head, storeId: b.store.id, intentions: signed } })
    // The first is being ingested; the others are refused, but only after it.
    expect(receiver.receive(push)).toMatchObject([{ kind: 'call' }])
    viewed.pop()
    for (let owed = 1; owed < PUSH_WINDOW; owed += 1) expect(receiver.receive(push)).toEqual([])
    expect(receiver.receive(push)).toMatchObject([{ failure: { why: 'push_window_exceeded' } }])
  })

  test('a malformed intention is counted, not stored', async () => {
    const { b, viewOfB } = await createPair()
    const { sent } = await feed(receiverFor({ resolve: () => viewOfB }), [
      { case: 'push', value: { ...head, storeId: b.store.id, intentions: signed } },
    ])
    expect(sent[0]?.value).toMatchObject({ witnessed: 0, floating: 0, invalid: 1 })
    expect(b.store.digest().witnessCount).toBe(1)
  })
})

describe('notes over a gossip stream', () => {
  const prune = (): FrameInit => ({ case: 'prune', value: { topic: topicOf() } })

  test('go beside runs: a store that takes long holds none of them up', async () => {
    const { a, viewOfB } = await createPair()
    const run = written(a.store, 1)
    const receiver = receiverFor({ resolve: () => viewOfB, note: () => 'noted' })
    const sender = createGossipSender(ignored)
    sender.offer(run)
    sender.note({ topic: topicOf(), frame: prune() })
    const frames = sender.start().flatMap((effect) => (effect.kind === 'send' ? [toFrame(effect.frame)] : []))
    const answers = frames.flatMap((frame) => receiver.receive(frame))
    expect(answers).toMatchObject([{ kind: 'send', frame: { case: 'noted', value: { refused: 0 } } }, { kind: 'call' }])
  })

  test('are answered in order; of a topic that is not there, and of a store, by its own refusal', async () => {
    const strangers: unknown[] = []
    const unshared: unknown[] = []
    const sender = createGossipSender({
      ...ignored,
      onStranger: (id) => strangers.push(id),
      onUnshared: (id) => unshared.push(id),
    })
    sender.note({ topic: topicOf(), frame: prune() })
    sender.note({ topic: topicOf(), storeId: other, frame: prune() })
    sender.note({ frame: { case: 'heartbeat', value: {} } })
    const outcomes = ['stranger', 'unshared', 'noted'] as const
    let notes = 0
    const receiver = receiverFor({ note: () => outcomes[notes++] })
    const { a, b } = await converse(sender, receiver)
    expect(a.failure).toBeUndefined()
    expect(b.sent.map((frame) => frame.case === 'noted' && frame.value.refused)).toEqual([
      net.RefusalCode.NO_SUCH_TOPIC,
      net.RefusalCode.NO_SUCH_STORE,
      net.RefusalCode.UNSPECIFIED,
    ])
    expect(strangers).toEqual([topicOf()])
    expect(unshared).toEqual([other])
    expect(sender.idle?.()).toBe(true)
  })

  test('wait beyond the window, and are refused beyond the queue', () => {
    const sender = createGossipSender(ignored)
    expect(sender.start()).toEqual([])
    for (let count = 0; count < NOTE_QUEUE_FRAMES; count += 1) {
      expect(sender.note({ topic: topicOf(), frame: prune() })).toBe(true)
    }
    expect(sender.note({ topic: topicOf(), frame: prune() })).toBe(false)
    expect(sender.flush()).toHaveLength(NOTE_WINDOW)
    expect(sender.flush()).toEqual([])
    expect(sender.receive(toFrame({ case: 'noted', value: {} }))).toHaveLength(1)
  })

  test.each<[string, FrameInit, string]>([
    ['that is not owed', { case: 'noted', value: {} }, 'noted_not_owed'],
    ['of another kind', { case: 'done', value: {} }, 'unexpected_done'],
  ])('an answer %s ends it', async (_, frame, why) => {
    expect((await feed(createGossipSender(ignored), [frame])).failure).toEqual({ kind: 'violation', why })
  })

  test('a heartbeat cannot be refused', async () => {
    const sender = createGossipSender(ignored)
    sender.note({ frame: { case: 'heartbeat', value: {} } })
    const noted: FrameInit = { case: 'noted', value: { refused: net.RefusalCode.NO_SUCH_STORE } }
    expect((await feed(sender, [noted])).failure).toEqual({ kind: 'violation', why: 'noted_malformed' })
  })

  test('the receiver says what is broken, and ends', async () => {
    const broken = receiverFor({ note: () => ({ violation: 'prune_malformed' }) })
    expect((await feed(broken, [prune()])).failure).toEqual({ kind: 'violation', why: 'prune_malformed' })
  })
})
