import { type Crypto, toIntentionId, toStoreId, type StoreId } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { net } from '@lattice/proto'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  createDigestInitiator,
  createDigestResponder,
  type DigestOptions,
  type SharedStore,
} from '../src/digest-exchange.ts'
import type { FrameInit } from '../src/frame.ts'
import { MAX_DIGEST_STORES, PUSH_QUEUE_FRAMES, PUSH_WINDOW } from '../src/limits.ts'
import { acceptOpening, withOpening } from '../src/opening.ts'
import { createPushReceiver } from '../src/push-receiver.ts'
import { createPushSender } from '../src/push-sender.ts'
import type { SessionStore } from '../src/session-call.ts'
import { finish, send, type SessionMachine, unexpected } from '../src/session.ts'
import { converse, drive, feed, toFrame } from './drive.ts'
import { createPair } from './pair.ts'

let crypto: Crypto
beforeAll(async () => {
  crypto = await openCrypto({ backend: 'wasm' })
})

describe('the digest exchange', () => {
  const storeOf = (fill: number, count: number): SharedStore => ({
    id: toStoreId(new Uint8Array(32).fill(fill)),
    digest: {
      witnessCount: count,
      fingerprint: new Uint8Array(32).fill(count),
      epochHeads: [],
      settledSeq: 0,
      tipsDigest: crypto.blake3(new Uint8Array(1)),
    },
  })
  const side = (stores: readonly SharedStore[], addresses: readonly string[] = []): DigestOptions => ({
    crypto,
    stores: () => stores,
    addresses: () => addresses,
  })
  const nonce = new Uint8Array(16).fill(4)

  test('tells both sides which common stores differ, the most different first, and nothing of the rest', async () => {
    const mine = [storeOf(1, 5), storeOf(2, 5), storeOf(3, 100), storeOf(4, 9)]
    const theirs = [storeOf(1, 5), storeOf(2, 6), storeOf(3, 7), storeOf(5, 1)]
    const initiator = createDigestInitiator({ ...side(mine, ['sim:a']), nonce })
    const { a, b } = await converse(initiator, createDigestResponder(side(theirs, ['sim:b'])))
    const ids = (list: readonly StoreId[] | undefined): unknown => list?.map((id) => id[0])
    expect(ids(a.outcome?.differing)).toEqual([3, 2])
    expect(ids(b.outcome?.differing)).toEqual([3, 2])
    expect(ids(a.outcome?.equal)).toEqual([1])
    expect([a.outcome?.addresses, b.outcome?.addresses]).toEqual([['sim:b'], ['sim:a']])
  })

  test('never carries a store id, and blinds it anew for each nonce', () => {
    const [first] = createDigestInitiator({ ...side([storeOf(1, 5)]), nonce }).start()
    const [second] = createDigestInitiator({ ...side([storeOf(1, 5)]), nonce: new Uint8Array(16) }).start()
    const blinded = [first, second].map((effect) => {
      const frame = effect?.kind === 'send' ? toFrame(effect.frame) : undefined
      return frame?.case === 'digests' ? frame.value.stores[0]?.blindedId : undefined
    })
    expect(blinded[0]).not.toEqual(blinded[1])
    expect(blinded[0]).not.toEqual(new Uint8Array(16).fill(1))
  })

  const entry = { blindedId: new Uint8Array(16), witnessCount: 1n, fingerprint: new Uint8Array(32) }
  test.each<[string, FrameInit, string]>([
    ['another nonce', { case: 'digests', value: { nonce: new Uint8Array(16) } }, 'digests_another_nonce'],
    [
      'a short id',
      { case: 'digests', value: { nonce, stores: [{ ...entry, blindedId: new Uint8Array(8) }] } },
      'digests_malformed',
    ],
    [
      'a short fingerprint',
      { case: 'digests', value: { nonce, stores: [{ ...entry, fingerprint: new Uint8Array(8) }] } },
      'digests_malformed',
    ],
    [
      'a bad epoch digest',
      { case: 'digests', value: { nonce, stores: [{ ...entry, epochDigest: new Uint8Array(8) }] } },
      'digests_malformed',
    ],
    ['a store twice', { case: 'digests', value: { nonce, stores: [entry, entry] } }, 'digests_repeated'],
    ['another frame', { case: 'want', value: {} }, 'unexpected_want'],
  ])('%s ends it', async (_, frame, why) => {
    const { failure } = await feed(createDigestInitiator({ ...side([]), nonce }), [frame])
    expect(failure).toEqual({ kind: 'violation', why })
  })

  test('of as many stores as it may have fits a frame; more of them are not shown, and not taken', async () => {
    const wide = (index: number): SharedStore => {
      const { id, digest } = storeOf(0, 1)
      new DataView(id.buffer).setUint32(0, index)
      const epochHeads = [toIntentionId(new Uint8Array(32).fill(255))]
      const fingerprint = new Uint8Array(32).fill(255)
      return { id, digest: { ...digest, epochHeads, fingerprint, witnessCount: Number.MAX_SAFE_INTEGER } }
    }
    const stores = Array.from({ length: MAX_DIGEST_STORES + 1 }, (_, index) => wide(index))
    const addresses = Array.from({ length: 20 }, () => 'x'.repeat(512))
    const { a, b } = await converse(
      createDigestInitiator({ ...side(stores, addresses), nonce }),
      createDigestResponder(side(stores, addresses)),
    )
    expect([a.outcome?.equal.length, b.outcome?.equal.length]).toEqual([MAX_DIGEST_STORES, MAX_DIGEST_STORES])
    const entries = Array.from({ length: MAX_DIGEST_STORES + 1 }, () => entry)
    const { failure } = await feed(createDigestInitiator({ ...side([]), nonce }), [
      { case: 'digests', value: { nonce, stores: entries } },
    ])
    expect(failure).toMatchObject({ why: 'digests_too_many' })
  })

  test('an asker with a nonce of another length is refused', async () => {
    const frame: FrameInit = { case: 'digests', value: { nonce: new Uint8Array(3) } }
    expect((await feed(createDigestResponder(side([])), [frame])).failure).toMatchObject({ why: 'digests_bad_nonce' })
  })
})

describe('the opening', () => {
  const echo: SessionMachine<string> = {
    start: () => [],
    receive: (frame) => (frame.case === 'ingested' ? [finish('heard')] : [unexpected(frame)]),
    answered: () => [],
  }
  const speaker: SessionMachine<string> = {
    ...echo,
    start: () => [send({ case: 'ingested', value: { count: 1 } }), finish('said')],
  }
  const accept = (known = true, walls: number[] = []) =>
    acceptOpening<string>({
      wallMs: 7,
      onPeerWall: (wall) => walls.push(wall),
      select: () =>
        known
          ? echo
          : { kind: 'fail', failure: { kind: 'refuse', refusal: net.RefusalCode.PROTOCOL_UNKNOWN, message: 'no' } },
    })

  test('carries the first frames with it, and the clocks both ways', async () => {
    const walls: number[] = []
    const slow: SessionMachine<string> = { ...echo, start: () => [send({ case: 'ingested', value: { count: 1 } })] }
    const opening = withOpening(slow, { protocol: net.Protocol.DIGEST, wallMs: 5, onPeerWall: (w) => walls.push(w) })
    const { b } = await converse(opening, accept(true, walls))
    expect(b.outcome).toBe('heard')
    expect(walls).toEqual([5, 7])
    expect(
      (await converse(withOpening(speaker, { protocol: 1, wallMs: 5, onPeerWall: () => undefined }), accept())).a
        .outcome,
    ).toBe('said')
  })

  const open = { protocol: net.Protocol.DIGEST, version: 1, wallTime: 5n }
  test.each<[string, FrameInit, object]>([
    ['no Open first', { case: 'ingested', value: { count: 1 } }, { kind: 'violation', why: 'not_opened_first' }],
    [
      'another version',
      { case: 'open', value: { ...open, version: 2 } },
      { kind: 'refuse', refusal: net.RefusalCode.VERSION_UNSUPPORTED },
    ],
    [
      'a time beyond time',
      { case: 'open', value: { ...open, wallTime: 2n ** 60n } },
      { kind: 'violation', why: 'wall_time_out_of_range' },
    ],
  ])('answering, %s ends it', async (_, frame, failure) => {
    expect((await feed(accept(), [frame])).failure).toMatchObject(failure)
  })
  test.each<[string, FrameInit, object]>([
    ['no Accepted first', { case: 'ingested', value: { count: 1 } }, { why: 'not_accepted_first' }],
    ['another version', { case: 'accepted', value: { version: 9 } }, { why: 'accepted_another_version' }],
    [
      'a time beyond time',
      { case: 'accepted', value: { version: 1, wallTime: 2n ** 60n } },
      { why: 'wall_time_out_of_range' },
    ],
    [
      'a refusal',
      { case: 'refused', value: { code: 4, message: 'busy' } },
      { kind: 'refused', refusal: 4, message: 'busy' },
    ],
  ])('opening, %s ends it', async (_, frame, failure) => {
    const machine = withOpening(echo, { protocol: net.Protocol.DIGEST, wallMs: 5, onPeerWall: () => undefined })
    expect((await feed(machine, [frame])).failure).toMatchObject(failure)
  })

  test('an unknown protocol is refused with a reason', async () => {
    const { failure } = await feed(accept(false), [{ case: 'open', value: { ...open, protocol: 99 as net.Protocol } }])
    expect(failure).toMatchObject({ refusal: net.RefusalCode.PROTOCOL_UNKNOWN })
  })
})

const ignored = { onUnshared: (): void => undefined, onDigest: (): void => undefined }

describe('push', () => {
  test('goes over in order, within the window, and is answered with counts', async () => {
    const { a, b, viewOfB } = await createPair()
    const sender = createPushSender(ignored)
    for (let run = 0; run < 3 * PUSH_WINDOW; run += 1) {
      sender.offer({ storeId: a.store.id, intentions: a.store.write(2), digest: a.store.digest() })
    }
    expect(sender.busy(a.store.id)).toBe(true)
    const driven = drive(sender)
    await driven.take(sender.start())
    expect(driven.outbox).toHaveLength(PUSH_WINDOW)
    const receiver = createPushReceiver({ resolve: () => viewOfB })
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
    const sender = createPushSender(ignored)
    const other = toStoreId(new Uint8Array(32).fill(3))
    const intentions = a.store.write(1)
    const push = { storeId: a.store.id, intentions, digest: a.store.digest() }
    expect(sender.offer({ ...push, storeId: other })).toBe(true)
    for (let index = 1; index < PUSH_QUEUE_FRAMES; index += 1) expect(sender.offer(push)).toBe(true)
    expect(sender.offer(push)).toBe(false)
    expect(sender.busy(a.store.id)).toBe(false)
    expect(sender.unsettled()).toEqual([other])
    expect(sender.offer(push)).toBe(true)
  })

  test('a held store waits, and another goes before it', async () => {
    const { a } = await createPair()
    const sender = createPushSender(ignored)
    const other = toStoreId(new Uint8Array(32).fill(3))
    const push = { storeId: a.store.id, intentions: a.store.write(1), digest: a.store.digest() }
    sender.hold(a.store.id)
    sender.offer(push)
    sender.offer({ ...push, storeId: other })
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
    const other = toStoreId(new Uint8Array(32).fill(3))
    const sender = createPushSender({ ...ignored, onUnshared: (id) => unshared.push(id) })
    const push = { storeId: a.store.id, intentions: a.store.write(1), digest: a.store.digest() }
    sender.offer({ ...push, storeId: other })
    sender.offer(push)
    const receiver = createPushReceiver({ resolve: (id) => (id[0] === 3 ? undefined : viewOfB) })
    const opening = withOpening(sender, { protocol: net.Protocol.PUSH, wallMs: 1, onPeerWall: () => undefined })
    const accepting = acceptOpening<void>({ wallMs: 1, onPeerWall: () => undefined, select: () => receiver })
    const { a: side } = await converse(opening, accepting)
    expect(side.failure).toBeUndefined()
    expect(unshared).toEqual([other])
    expect(b.store.digest().witnessCount).toBe(2)
    expect(sender.unsettled()).toEqual([])
  })

  test('a batch larger than a frame goes in several, and only the last carries the digest', async () => {
    const { a } = await createPair()
    const sender = createPushSender(ignored)
    sender.offer({ storeId: a.store.id, intentions: a.store.write(9, 100_000), digest: a.store.digest() })
    const counts = sender.start().map((effect) => {
      const frame = effect.kind === 'send' ? toFrame(effect.frame) : undefined
      return frame?.case === 'push' ? frame.value.witnessCount : undefined
    })
    expect(counts.length).toBeGreaterThan(2)
    expect(counts.at(-1)).toBe(10n)
    expect(counts.slice(0, -1).every((count) => count === 0n)).toBe(true)
  })

  test('a result that is not owed, and another refusal, end it', async () => {
    const sender = createPushSender(ignored)
    expect((await feed(sender, [{ case: 'pushResult', value: {} }])).failure).toMatchObject({
      why: 'push_result_not_owed',
    })
    expect(sender.refused?.(toFrame({ case: 'refused', value: { code: 13 } }).value as net.Refused)).toMatchObject([
      { kind: 'fail', failure: { kind: 'refused', refusal: 13 } },
    ])
  })

  const signed = [{ intention: new Uint8Array(10), signature: new Uint8Array(0) }]
  test.each<[string, FrameInit, string]>([
    ['an empty push', { case: 'push', value: {} }, 'push_empty'],
    ['half a digest', { case: 'push', value: { witnessCount: 4n, intentions: signed } }, 'push_malformed'],
    [
      'an oversized intention',
      { case: 'push', value: { intentions: [{ intention: new Uint8Array(300_000) }] } },
      'intention_too_large',
    ],
    ['another frame', { case: 'pushResult', value: {} }, 'unexpected_pushResult'],
  ])('the receiver: %s ends it', async (_, frame, why) => {
    const { viewOfB } = await createPair()
    expect((await feed(createPushReceiver({ resolve: () => viewOfB }), [frame])).failure).toEqual({
      kind: 'violation',
      why,
    })
  })

  test('the answer to the end of a batch says what the receiver holds then, and the sender is told', async () => {
    const { a, viewOfB } = await createPair()
    const heard: unknown[] = []
    const sender = createPushSender({ ...ignored, onDigest: (id, digest) => heard.push([id, digest]) })
    sender.offer({ storeId: a.store.id, intentions: a.store.write(9, 100_000), digest: a.store.digest() })
    const { a: side, b: answers } = await converse(sender, createPushReceiver({ resolve: () => viewOfB }))
    expect(side.failure).toBeUndefined()
    const counts = answers.sent.map((frame) => frame.case === 'pushResult' && frame.value.witnessCount)
    expect(counts.length).toBeGreaterThan(2)
    expect(counts.slice(0, -1).every((count) => count === 0n)).toBe(true)
    const { witnessCount, fingerprint } = a.store.digest()
    expect(heard).toEqual([[a.store.id, { witnessCount, fingerprint }]])
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
    const sender = createPushSender(ignored)
    sender.offer({ storeId: a.store.id, intentions: a.store.write(1), digest: a.store.digest() })
    const { b: answers } = await converse(sender, createPushReceiver({ resolve: () => view }))
    expect(answers.sent[0]?.value).toMatchObject({ witnessCount: 0n, fingerprint: new Uint8Array(0) })
  })

  test.each<[string, object, string]>([
    ['for another store', { storeId: new Uint8Array(32) }, 'push_result_for_another_store'],
    ['with half a digest', { witnessCount: 4n }, 'push_result_malformed'],
  ])('a result %s ends it', async (_, change, why) => {
    const { a } = await createPair()
    const sender = createPushSender(ignored)
    sender.offer({ storeId: a.store.id, intentions: a.store.write(1), digest: a.store.digest() })
    const { failure } = await feed(sender, [{ case: 'pushResult', value: { storeId: a.store.id, ...change } }])
    expect(failure).toEqual({ kind: 'violation', why })
  })

  test('a sender that does not wait for answers is cut off: what is owed to it is bounded', async () => {
    const { b, viewOfB } = await createPair()
    const viewed: SessionStore[] = []
    const receiver = createPushReceiver({ resolve: () => viewed[0] })
    viewed.push(viewOfB)
    const push = toFrame({ case: 'push', value: { storeId: b.store.id, intentions: signed } })
    // The first is being ingested; the others are refused, but only after it.
    expect(receiver.receive(push)).toMatchObject([{ kind: 'call' }])
    viewed.pop()
    for (let owed = 1; owed < PUSH_WINDOW; owed += 1) expect(receiver.receive(push)).toEqual([])
    expect(receiver.receive(push)).toMatchObject([{ failure: { why: 'push_window_exceeded' } }])
  })

  test('a malformed intention is counted, not stored', async () => {
    const { b, viewOfB } = await createPair()
    const { sent } = await feed(createPushReceiver({ resolve: () => viewOfB }), [
      { case: 'push', value: { storeId: b.store.id, intentions: signed } },
    ])
    expect(sent[0]?.value).toMatchObject({ witnessed: 0, floating: 0, invalid: 1 })
    expect(b.store.digest().witnessCount).toBe(1)
  })
})
