import { type Hlc, toHash, toIntentionId, toPublicKey } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeFoundationItem, encodeFoundationItem } from './foundation-codec.ts'
import type { FoundationItem } from './foundation-types.ts'

const u32 = fc.nat(2 ** 32 - 1)
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const ids = bytes(32).map((id) => toIntentionId(toHash(id)))
const signed = fc.record({
  bytes: fc.uint8Array({ maxLength: 90 }),
  signature: fc.constantFrom(new Uint8Array(64), new Uint8Array(0)),
})
const vector = fc
  .uniqueArray(u32, { maxLength: 5 })
  .chain((lanes) => fc.tuple(...lanes.sort((a, b) => a - b).map((lane) => fc.tuple(fc.constant(lane), u32))))
const place = fc.record({ lane: u32, position: u32, generation: u32, vector })
const timestamp: fc.Arbitrary<Hlc> = fc.record({ wall: fc.nat(2 ** 48 - 1), counter: u32 })
const parent = fc.option(fc.record({ lane: u32, position: u32 }), { nil: undefined })

const items: fc.Arbitrary<FoundationItem> = fc.oneof(
  bytes(32).map((key): FoundationItem => ({ kind: 'author', key: toPublicKey(key) })),
  fc.record({ kind: fc.constant('lane' as const), author: u32, parent, head: u32 }),
  fc.record({ kind: fc.constant('spine' as const), record: signed, place }),
  fc.record({ kind: fc.constant('closing' as const), intention: signed, place }),
  fc.record({
    kind: fc.constant('anchor' as const),
    id: ids,
    place,
    timestamp,
    folded: fc.array(ids, { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('ack' as const), ack: signed }),
)

describe('an item', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(items, (item) => {
        expect(decodeFoundationItem(encodeFoundationItem(item))).toEqual({ ok: true, value: item })
      }),
    )
  })

  test('is refused where it is cut short or changed, or says the same', () => {
    fc.assert(
      fc.property(items, fc.nat(), fc.nat(255), (item, at, byte) => {
        const encoded = encodeFoundationItem(item)
        const changed = encoded.slice()
        changed[at % changed.length] = byte
        for (const candidate of [changed, encoded.subarray(0, at % encoded.length)]) {
          const decoded = decodeFoundationItem(candidate)
          if (!decoded.ok) continue
          // What is taken for an item can be sent on as one.
          expect(decodeFoundationItem(encodeFoundationItem(decoded.value))).toEqual(decoded)
        }
      }),
    )
  })

  test('has keys, ids, vectors and times of their form', () => {
    const good: FoundationItem = {
      kind: 'anchor',
      id: toIntentionId(toHash(new Uint8Array(32))),
      place: { lane: 1, position: 2, generation: 3, vector: [[1, 2]] },
      timestamp: { wall: 1, counter: 0 },
      folded: [],
    }
    const bad: readonly FoundationItem[] = [
      {
        ...good,
        place: {
          ...good.place,
          vector: [
            [2, 0],
            [1, 2],
          ],
        },
      },
      {
        ...good,
        place: {
          ...good.place,
          vector: [
            [1, 2],
            [1, 2],
          ],
        },
      },
      { ...good, timestamp: { wall: 2 ** 48, counter: 0 } },
    ]
    expect(decodeFoundationItem(encodeFoundationItem(good)).ok).toBe(true)
    for (const item of bad)
      expect(decodeFoundationItem(encodeFoundationItem(item))).toMatchObject({ error: { code: 'malformed' } })
    for (const junk of [new Uint8Array(0), Uint8Array.of(0xff)]) {
      expect(decodeFoundationItem(junk).ok).toBe(false)
    }
  })
})
