import { toIntentionId, toStoreId, toHash, toHex } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BaseFacts, baseHash } from './base-signature.ts'
import { decodeVector, encodeVector } from './base-vector.ts'
import type { LanePosition } from './reach-vector.ts'

const crypto = await openCrypto()
const bytes = (fill: number): Buffer => Buffer.alloc(32, fill)
const storeId = toStoreId(bytes(1))

const facts: BaseFacts = {
  base: { epoch: bytes(2), from_seq: 7, prev_hash: bytes(3), gone_count: 4, gone_fingerprint: bytes(5) },
  lanes: [{ lane: 0, author: 0, key: bytes(6), parent_lane: null, parent_position: null, last: 5 }],
  spans: [{ lane: 0, first: 2, last: 3, kind: 'all', epoch: bytes(7) }],
  anchors: [
    {
      id: bytes(8),
      seq: 1,
      author: 0,
      lane: 0,
      position: 0,
      generation: 0,
      wall: 1000,
      counter: 0,
      stays: 1,
      vector: Buffer.from(encodeVector([[0, 0]])),
      deps: null,
    },
  ],
  early: [{ seq: 1, id: toIntentionId(toHash(bytes(8))) }],
}

describe('what a node signs of where its log begins', () => {
  test('is what it always was', () => {
    expect(toHex(baseHash(crypto, storeId, facts))).toBe(
      'ec332b049cb237da06ad3fa0f1575207f3b887b3b3872b9c081ed222955ab9d3',
    )
  })

  test('is another with any fact of it, or of another store', () => {
    const [lane] = facts.lanes
    const [span] = facts.spans
    const [anchor] = facts.anchors
    const others: readonly BaseFacts[] = [
      { ...facts, base: { ...facts.base, gone_count: 5 } },
      { ...facts, base: { ...facts.base, from_seq: 8 } },
      { ...facts, lanes: lane ? [{ ...lane, last: 4 }] : [] },
      { ...facts, spans: span ? [{ ...span, kind: 'privileged' }] : [] },
      { ...facts, anchors: anchor ? [{ ...anchor, deps: bytes(9) }] : [] },
      { ...facts, anchors: [] },
      { ...facts, early: [] },
    ]
    const hashes = [facts, ...others].map((each) => toHex(baseHash(crypto, storeId, each)))
    hashes.push(toHex(baseHash(crypto, toStoreId(bytes(9)), facts)))
    expect(new Set(hashes).size).toBe(hashes.length)
  })
})

test('a vector that is kept by itself is read as it was written', () => {
  const vectors = fc
    .uniqueArray(fc.nat({ max: 100_000 }))
    .chain((lanes) =>
      fc
        .array(fc.nat({ max: 2 ** 31 }), { minLength: lanes.length, maxLength: lanes.length })
        .map((positions) =>
          lanes.toSorted((a, b) => a - b).map((lane, at): LanePosition => [lane, positions[at] ?? 0]),
        ),
    )
  fc.assert(
    fc.property(vectors, (vector) => {
      expect(decodeVector(encodeVector(vector))).toEqual(vector)
    }),
  )
  expect(
    toHex(
      encodeVector([
        [0, 300],
        [5, 1],
      ]),
    ),
  ).toBe('00ac020401')
})
