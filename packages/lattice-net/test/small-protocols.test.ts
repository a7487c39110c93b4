import { type Crypto, toIntentionId, toStoreId, type StoreId } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import type { ReplicaDigest } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  createDigestInitiator,
  createDigestResponder,
  type DigestOptions,
  type SharedStore,
} from '../src/digest-exchange.ts'
import type { FrameInit } from '../src/frame.ts'
import { DIGEST_STORES_TOLD, MAX_DIGEST_STORES } from '../src/limits.ts'
import { acceptOpening, withOpening } from '../src/opening.ts'
import { finish, send, type SessionMachine, unexpected } from '../src/session.ts'
import { converse, feed, toFrame } from './drive.ts'

let crypto: Crypto
beforeAll(async () => {
  crypto = await openCrypto({ backend: 'wasm' })
})

describe('the digest exchange', () => {
  const storeOf = (fill: number, count: number): SharedStore => ({
    id: toStoreId(new Uint8Array(32).fill(fill)),
    digest: () => digestOf(count),
    base: () => undefined,
    over: () => undefined,
  })
  const digestOf = (count: number): ReplicaDigest => ({
    witnessCount: count,
    fingerprint: new Uint8Array(32).fill(count),
    epochHeads: [],
    settledSeq: 0,
    tipsDigest: crypto.blake3(new Uint8Array(1)),
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
      const { id } = storeOf(0, 1)
      new DataView(id.buffer).setUint32(0, index)
      const epoch = toIntentionId(new Uint8Array(32).fill(255))
      const fingerprint = new Uint8Array(32).fill(255)
      const digest = { ...digestOf(1), epochHeads: [epoch], fingerprint, witnessCount: Number.MAX_SAFE_INTEGER }
      return { id, digest: () => digest, base: () => ({ epoch, seq: 1n, goneCount: 0 }), over: () => undefined }
    }
    const stores = Array.from({ length: DIGEST_STORES_TOLD + 1 }, (_, index) => wide(index))
    const addresses = Array.from({ length: 20 }, () => 'x'.repeat(512))
    const { a, b } = await converse(
      createDigestInitiator({ ...side(stores, addresses), nonce }),
      createDigestResponder(side(stores, addresses)),
    )
    expect([a.outcome?.equal.length, b.outcome?.equal.length]).toEqual([DIGEST_STORES_TOLD, DIGEST_STORES_TOLD])
    const entries = Array.from({ length: MAX_DIGEST_STORES + 1 }, () => entry)
    const { failure } = await feed(createDigestInitiator({ ...side([]), nonce }), [
      { case: 'digests', value: { nonce, stores: entries } },
    ])
    expect(failure).toMatchObject({ why: 'digests_too_many' })
  })

  test('of more stores than fit, each side knows what it has still to tell of, and takes none of them for unshared', async () => {
    // 1 to 5 are common; each side has them in an order of its own, and one that the other has not.
    const mine = [1, 2, 8, 3, 4, 5].map((fill) => storeOf(fill, 1))
    const theirs = [5, 9, 1, 4, 3, 2].map((fill) => storeOf(fill, 2))
    const limited = { ...side(mine), storesTold: 3 }
    const { a, b } = await converse(
      createDigestInitiator({ ...limited, nonce }),
      createDigestResponder({ ...side(theirs), storesTold: 4 }),
    )
    const fills = (list: readonly StoreId[] = []): readonly number[] =>
      list.map((id) => id[0] ?? 0).sort((x, y) => x - y)
    // What it named itself or not: the peer's word is enough.
    expect(fills(a.outcome?.differing)).toEqual([1, 4, 5])
    expect(fills(b.outcome?.differing)).toEqual([1, 2])
    expect([fills(a.outcome?.untold), fills(b.outcome?.untold)]).toEqual([
      [3, 4, 5],
      [2, 3],
    ])
    expect([a.outcome?.unshared, b.outcome?.unshared]).toEqual([[], []])

    const whole = createDigestResponder(side(theirs))
    const { outcome } = (await converse(createDigestInitiator({ ...limited, nonce }), whole)).a
    expect(fills(outcome?.differing)).toEqual([1, 2, 3, 4, 5])
    expect(fills(outcome?.unshared)).toEqual([8])
  })

  test('names removals first: nothing else tells of them', async () => {
    const stores = [storeOf(1, 1), storeOf(2, 1), storeOf(3, 1)]
    const revoked = [storeOf(4, 1).id]
    const { a, b } = await converse(
      createDigestInitiator({ ...side([...stores, storeOf(4, 1)]), nonce }),
      createDigestResponder({ ...side(stores), revoked: () => revoked, storesTold: 2 }),
    )
    expect(a.outcome?.revoked).toEqual(revoked)
    expect(b.outcome?.untold).toEqual([storeOf(2, 1).id, storeOf(3, 1).id])
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
