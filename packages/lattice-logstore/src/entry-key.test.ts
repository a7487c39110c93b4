import {
  compareBytes,
  compareHlc,
  type Hlc,
  MAX_HLC_COUNTER,
  MAX_WALL_MS,
  type PublicKey,
  toHex,
  toIntentionId,
  toPublicKey,
} from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeEntryKey, encodeEntryKey } from './entry-key.ts'
import { MAX_BATCH_ENTRIES } from './limits.ts'

const authorOf = (number: number): PublicKey => toPublicKey(new Uint8Array(32).fill(number))

describe('the key of an entry', () => {
  const keys = fc
    .record({
      wall: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: MAX_WALL_MS }), fc.constant(MAX_WALL_MS)),
      counter: fc.oneof(fc.nat({ max: 3 }), fc.constant(MAX_HLC_COUNTER)),
      author: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      id: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      position: fc.nat({ max: MAX_BATCH_ENTRIES - 1 }),
    })
    .map(({ wall, counter, author, id, position }) => ({
      timestamp: { wall, counter } satisfies Hlc,
      author: toPublicKey(author),
      id: toIntentionId(id),
      position,
    }))

  test('is in bytes what the entry is in time, then author, id and place', () => {
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        const order =
          compareHlc(a.timestamp, b.timestamp) ||
          compareBytes(a.author, b.author) ||
          compareBytes(a.id, b.id) ||
          a.position - b.position
        expect(Math.sign(compareBytes(encodeEntryKey(a), encodeEntryKey(b)))).toBe(Math.sign(order))
        expect(decodeEntryKey(encodeEntryKey(a))).toEqual(a)
      }),
    )
  })

  test('keeps its bytes (golden)', () => {
    const key = { timestamp: { wall: 0x0102, counter: 3 }, author: authorOf(0xaa), id: toIntentionId(authorOf(0xbb)) }
    expect(toHex(encodeEntryKey({ ...key, position: 4 }))).toBe(
      `000000000000010200000003${'aa'.repeat(32)}${'bb'.repeat(32)}0004`,
    )
  })
})
