import {
  type IntentionId,
  intentionId,
  MAX_RUN_LENGTH,
  toHex,
  toIntentionId,
  toPublicKey,
  toStoreId,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { net } from '@lattice/proto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeFrame, encodeFrame, type Frame, type FrameInit } from '../frame.ts'
import {
  ACTIVE_WALK,
  GOSSIP_INLINE_BYTES,
  GRAFT_IDS_MAX,
  HEARTBEAT_STORES_MAX,
  IHAVE_IDS_MAX,
  MAX_ROUND,
  SHUFFLE_SAMPLE_MAX,
} from '../limits.ts'
import { gossipTopic, readTopic } from './gossip-topic.ts'
import { heartbeatFrame, readHeartbeat } from './heartbeat-frames.ts'
import { membershipFrame, readMembership } from './membership-frames.ts'
import type { MembershipMessage } from './membership.ts'
import { gossipPayload, readBroadcast, readGraft, readIHave, readPrune, treeFrame } from './tree-frames.ts'

const crypto = await openCrypto({ backend: 'wasm' })
const bytes = (fill: number, length = 32): Uint8Array => new Uint8Array(length).fill(fill)
const store = toStoreId(bytes(0x5e))
const topic = gossipTopic(crypto, store, [])
const TOPIC = 'f02e69b394ef747f1937a4644d125a31b97d8ab684233953be2ccfccdbe6e7e6'
const keys = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((key) => toPublicKey(key))
const ids = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((id) => toIntentionId(id))
const rounds = fc.integer({ min: 1, max: MAX_ROUND })

/** 32 bytes of one value, in hex. */
const all = (byte: string): string => byte.repeat(32)

/** What the peer reads. */
function read(frame: FrameInit): unknown {
  const decoded = decodeFrame(bodyOf(frame))
  return decoded.ok ? readFrame(decoded.value) : expect.fail('the frame arrives')
}
function readFrame(frame: Frame): unknown {
  switch (frame.case) {
    case 'membership':
      return readMembership(frame.value)
    case 'ihave':
      return readIHave(frame.value)
    case 'graft':
      return readGraft(frame.value)
    case 'prune':
      return readPrune(frame.value)
    case 'push':
      return readBroadcast(frame.value, crypto)
    case 'heartbeat':
      return readHeartbeat(frame.value)
    default:
      return undefined
  }
}
function bodyOf(frame: FrameInit): Uint8Array {
  const encoded = encodeFrame(frame)
  let head = 1
  while ((encoded[head - 1] ?? 0) >= 128) head += 1
  return encoded.subarray(head)
}
function run(sizes: readonly number[], signature = bytes(7, 64)): { bytes: Uint8Array; signature: Uint8Array }[] {
  return sizes.map((size, index) => ({
    bytes: bytes(index, size),
    signature: index === sizes.length - 1 ? signature : bytes(0, 0),
  }))
}
const author = toPublicKey(bytes(0xa0))

describe('topics', () => {
  test('are named by the store of the peer table and its epoch, in any order of heads', () => {
    const [a, b] = [toIntentionId(bytes(1)), toIntentionId(bytes(2))]
    expect(gossipTopic(crypto, store, [a, b])).toEqual(gossipTopic(crypto, store, [b, a]))
    expect(gossipTopic(crypto, store, [a])).not.toEqual(topic)
    expect(gossipTopic(crypto, toStoreId(bytes(1)), [])).not.toEqual(topic)
    expect(toHex(topic)).toBe(TOPIC)
    expect(readTopic(bytes(1, 31))).toBeUndefined()
  })
})

describe('membership frames', () => {
  const messages: fc.Arbitrary<MembershipMessage> = fc.oneof(
    fc.constantFrom<MembershipMessage>(
      { kind: 'join' },
      { kind: 'disconnect' },
      { kind: 'neighbor', priority: 'high' },
      { kind: 'neighbor', priority: 'low' },
      { kind: 'neighbor_reply', accepted: true },
      { kind: 'neighbor_reply', accepted: false },
    ),
    fc.record({ kind: fc.constant('forward_join' as const), peer: keys, ttl: fc.nat({ max: ACTIVE_WALK }) }),
    fc.record({
      kind: fc.constant('shuffle' as const),
      origin: keys,
      ttl: fc.nat({ max: ACTIVE_WALK }),
      sample: fc.array(keys, { maxLength: SHUFFLE_SAMPLE_MAX }),
    }),
    fc.record({
      kind: fc.constant('shuffle_reply' as const),
      origin: keys,
      sample: fc.array(keys, { maxLength: SHUFFLE_SAMPLE_MAX }),
    }),
  )

  test('come out as they went in', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const frame = membershipFrame({ topic, message })
        expect(read(frame)).toEqual({ ok: true, value: { topic, message } })
      }),
    )
  })

  test('have the bytes they have had since they were published', () => {
    const message = { kind: 'shuffle', origin: author, ttl: 5, sample: [toPublicKey(bytes(0xb0))] } as const
    expect(toHex(encodeFrame(membershipFrame({ topic, message })))).toBe(
      `6d82056a0a20${TOPIC}10081a20${all('a0')}20052a20${all('b0')}`,
    )
    expect(toHex(encodeFrame(membershipFrame({ topic, message: { kind: 'join' } })))).toBe(`278205240a20${TOPIC}1001`)
  })

  const { JOIN, FORWARD_JOIN, SHUFFLE, SHUFFLE_REPLY } = net.MembershipKind
  test.each<[string, Partial<Omit<net.Membership, '$typeName' | '$unknown'>>, string]>([
    ['a topic of another length', { topic: bytes(1, 31), kind: JOIN }, 'membership_topic_malformed'],
    ['no kind', {}, 'membership_kind_unknown'],
    ['a kind of a later version', { kind: 99 as net.MembershipKind }, 'membership_kind_unknown'],
    ['a peer where none belongs', { kind: JOIN, peer: bytes(1) }, 'membership_field_unused'],
    ['hops where none belong', { kind: JOIN, ttl: 1 }, 'membership_field_unused'],
    [
      'a sample where none belongs',
      { kind: FORWARD_JOIN, peer: bytes(1), sample: [bytes(1)] },
      'membership_field_unused',
    ],
    ['hops of an answer', { kind: SHUFFLE_REPLY, peer: bytes(1), ttl: 1 }, 'membership_field_unused'],
    ['no newcomer', { kind: FORWARD_JOIN }, 'membership_peer_malformed'],
    ['an origin of another length', { kind: SHUFFLE, peer: bytes(1, 33) }, 'membership_peer_malformed'],
    ['too many hops', { kind: SHUFFLE, peer: bytes(1), ttl: ACTIVE_WALK + 1 }, 'membership_ttl_out_of_range'],
    [
      'too large a sample',
      { kind: SHUFFLE, peer: bytes(1), sample: Array.from({ length: SHUFFLE_SAMPLE_MAX + 1 }, () => bytes(1)) },
      'membership_sample_too_large',
    ],
    ['a sample with no key', { kind: SHUFFLE, peer: bytes(1), sample: [bytes(1, 0)] }, 'membership_sample_malformed'],
  ])('%s is refused by name', (_, fields, code) => {
    expect(read({ case: 'membership', value: { topic, ...fields } })).toEqual({ ok: false, error: code })
  })
})

describe('tree frames', () => {
  test('come out as they went in', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ id: ids, round: rounds }), { minLength: 1, maxLength: 20 }), (entries) => {
        const announced = { kind: 'ihave', store, entries } as const
        expect(read(treeFrame({ topic, message: announced }))).toEqual({
          ok: true,
          value: { topic, message: announced },
        })
        const wanted = { kind: 'graft', wanted: { store, ids: entries.map(({ id }) => id) } } as const
        expect(read(treeFrame({ topic, message: wanted }))).toEqual({
          ok: true,
          value: { topic, message: wanted },
        })
      }),
      { numRuns: 50 },
    )
    for (const message of [{ kind: 'graft', wanted: undefined }, { kind: 'prune' }] as const) {
      const frame = treeFrame({ topic, message })
      expect(read(frame)).toEqual({ ok: true, value: { topic, message } })
    }
  })

  test('a small run travels whole under the id of its closing intention, a large one is announced', () => {
    for (const sizes of [[100, 200], [GOSSIP_INLINE_BYTES - 64], [GOSSIP_INLINE_BYTES - 63]]) {
      const intentions = run(sizes)
      const payload = gossipPayload(author, intentions as never)
      expect(payload.kind).toBe(sizes[0] === GOSSIP_INLINE_BYTES - 63 ? 'announced' : 'run')
      const closing = intentions.at(-1)
      if (closing === undefined) return expect.fail('a run has a last intention')
      const id: IntentionId = intentionId(crypto, closing.bytes)
      const message = { kind: 'gossip', store, id, round: 3, payload } as const
      const claim = { witnessCount: 12, fingerprint: bytes(9) }
      const frame = treeFrame({ topic, message }, claim)
      expect(read(frame)).toEqual({ ok: true, value: { topic, message } })
      expect(frame.value).toMatchObject({ witnessCount: 12n, fingerprint: claim.fingerprint })
    }
  })

  test('have the bytes they have had since they were published', () => {
    const [id, kind] = [toIntentionId(bytes(0x1d)), 'announced' as const]
    const payload = { kind, author, intentions: 3, bytes: 20_000 }
    const hexOf = (frame: FrameInit): string => toHex(encodeFrame(frame))
    expect(hexOf(treeFrame({ topic, message: { kind: 'gossip', store, id, round: 2, payload } }))).toBe(
      `9601e20392010a20${all('5e')}2a20${TOPIC}30023a4a0a20${all('1d')}1220${all('a0')}180320a09c01`,
    )
    expect(hexOf(treeFrame({ topic, message: { kind: 'ihave', store, entries: [{ id, round: 300 }] } }))).toBe(
      `6d8a056a0a20${TOPIC}1220${all('5e')}1a20${all('1d')}2202ac02`,
    )
    expect(hexOf(treeFrame({ topic, message: { kind: 'graft', wanted: { store, ids: [id] } } }))).toBe(
      `699205660a20${TOPIC}1220${all('5e')}1a20${all('1d')}`,
    )
    expect(hexOf(treeFrame({ topic, message: { kind: 'prune' } }))).toBe(`259a05220a20${TOPIC}`)
    expect(hexOf(heartbeatFrame([{ store, digest: { witnessCount: 7, fingerprint: bytes(9) }, bulk: false }]))).toBe(
      `4ba205480a460a20${all('5e')}10071a20${all('09')}`,
    )
  })

  const many = (count: number): Uint8Array[] => Array.from({ length: count }, () => bytes(1))
  test.each<[string, Partial<Omit<net.IHave, '$typeName' | '$unknown'>>, string]>([
    ['a topic of another length', { topic: bytes(1, 33) }, 'topic_malformed'],
    ['no store', { storeId: bytes(1, 0) }, 'store_id_malformed'],
    ['no ids', { ids: [], rounds: [] }, 'ihave_empty'],
    ['too many ids', { ids: many(IHAVE_IDS_MAX + 1) }, 'ihave_too_many_ids'],
    ['an id of another length', { ids: [bytes(1, 16)] }, 'id_malformed'],
    ['fewer rounds than ids', { rounds: [] }, 'ihave_rounds_do_not_match'],
    ['more rounds than ids', { rounds: [1, 2] }, 'ihave_rounds_do_not_match'],
    ['a round of nobody', { rounds: [0] }, 'round_out_of_range'],
    ['a round out of range', { rounds: [MAX_ROUND + 1] }, 'round_out_of_range'],
  ])('an IHave with %s is refused by name', (_, fields, code) => {
    const value = { topic, storeId: store, ids: [bytes(1)], rounds: [1], ...fields }
    expect(read({ case: 'ihave', value })).toEqual({ ok: false, error: code })
  })

  test.each<[string, Partial<Omit<net.Graft, '$typeName' | '$unknown'>>, string]>([
    ['a topic of another length', { topic: bytes(1, 0) }, 'topic_malformed'],
    ['too many ids', { ids: many(GRAFT_IDS_MAX + 1) }, 'graft_too_many_ids'],
    ['ids of no store', { storeId: bytes(1, 0) }, 'graft_without_store'],
    ['a store and no ids', { ids: [] }, 'graft_without_store'],
    ['an id of another length', { ids: [bytes(1, 31)] }, 'id_malformed'],
  ])('a graft with %s is refused by name', (_, fields, code) => {
    const value = { topic, storeId: store, ids: [bytes(1)], ...fields }
    expect(read({ case: 'graft', value })).toEqual({ ok: false, error: code })
  })

  test('a prune without a topic is refused by name', () => {
    expect(read({ case: 'prune', value: {} })).toEqual({ ok: false, error: 'topic_malformed' })
  })

  const wire = (intentions: ReturnType<typeof run>): { intention: Uint8Array; signature: Uint8Array }[] =>
    intentions.map(({ bytes: intention, signature }) => ({ intention, signature }))
  const announced = { id: bytes(1), author: bytes(2), intentions: 2, bytes: 20_000n }
  test.each<[string, NonNullable<Extract<FrameInit, { readonly case: 'push' }>['value']>, string]>([
    ['no topic', { topic: bytes(1, 0) }, 'topic_malformed'],
    ['no store', { storeId: bytes(1, 0) }, 'store_id_malformed'],
    ['no round', { round: 0 }, 'round_out_of_range'],
    ['a round out of range', { round: 256 }, 'round_out_of_range'],
    ['neither run nor announcement', { intentions: [] }, 'broadcast_empty'],
    ['both run and announcement', { announced }, 'broadcast_ambiguous'],
    ['a run that is not closed', { intentions: wire(run([10], bytes(0, 0))) }, 'broadcast_not_closed'],
    ['a run beyond the limit', { intentions: wire(run([GOSSIP_INLINE_BYTES - 63])) }, 'broadcast_too_large'],
    [
      'more intentions than a run has',
      { intentions: wire(run(Array.from({ length: MAX_RUN_LENGTH + 1 }, () => 1))) },
      'broadcast_too_large',
    ],
    [
      'an announced id of another length',
      { intentions: [], announced: { ...announced, id: bytes(1, 1) } },
      'announcement_malformed',
    ],
    [
      'an announced author of another length',
      { intentions: [], announced: { ...announced, author: bytes(1, 1) } },
      'announcement_malformed',
    ],
    [
      'an announced run of nothing',
      { intentions: [], announced: { ...announced, intentions: 0 } },
      'announcement_malformed',
    ],
    [
      'an announced run too long',
      { intentions: [], announced: { ...announced, intentions: MAX_RUN_LENGTH + 1 } },
      'announcement_malformed',
    ],
    [
      'an announced run that is small',
      { intentions: [], announced: { ...announced, bytes: 100n } },
      'announcement_malformed',
    ],
    [
      'an announced run without end',
      { intentions: [], announced: { ...announced, bytes: 2n ** 64n - 1n } },
      'announcement_malformed',
    ],
  ])('a broadcast with %s is refused by name', (_, fields, code) => {
    const value = { topic, storeId: store, round: 1, intentions: wire(run([10])), ...fields }
    expect(read({ case: 'push', value })).toEqual({ ok: false, error: code })
  })
})

describe('heartbeats', () => {
  const claim = { storeId: store, witnessCount: 7n, fingerprint: bytes(9) }
  test('come out as they went in, also of no store', () => {
    for (const claims of [[], [{ store, digest: { witnessCount: 7, fingerprint: bytes(9) }, bulk: true }]]) {
      expect(read(heartbeatFrame(claims))).toEqual({ ok: true, value: claims })
    }
  })

  test.each<[string, (typeof claim)[], string]>([
    ['too many stores', Array.from({ length: HEARTBEAT_STORES_MAX + 1 }, () => claim), 'heartbeat_too_many_stores'],
    [
      'a store id of another length',
      [{ ...claim, storeId: toStoreId(bytes(1)).subarray(1) as never }],
      'heartbeat_malformed',
    ],
    ['a fingerprint of another length', [{ ...claim, fingerprint: bytes(1, 31) }], 'heartbeat_malformed'],
    ['a count beyond what is exact', [{ ...claim, witnessCount: 2n ** 60n }], 'heartbeat_malformed'],
    ['a store twice', [claim, { ...claim, witnessCount: 8n }], 'heartbeat_repeated'],
  ])('with %s are refused by name', (_, stores, code) => {
    expect(read({ case: 'heartbeat', value: { stores } })).toEqual({
      ok: false,
      error: code,
    })
  })
})

test('frames of gossip with a byte changed are read or refused, never thrown at', () => {
  const message = { kind: 'ihave', store, entries: [{ id: toIntentionId(bytes(1)), round: 1 }] } as const
  const shuffle = { kind: 'shuffle', origin: author, ttl: 1, sample: [author] } as const
  const frames = [treeFrame({ topic, message }), membershipFrame({ topic, message: shuffle })]
  fc.assert(
    fc.property(fc.constantFrom(...frames), fc.nat(), fc.integer({ min: 1, max: 255 }), (frame, at, flip) => {
      const body = Uint8Array.from(bodyOf(frame))
      body[at % body.length] = (body[at % body.length] ?? 0) ^ flip
      const decoded = decodeFrame(body)
      if (decoded.ok) readFrame(decoded.value)
    }),
    { numRuns: 300 },
  )
})
