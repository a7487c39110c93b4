import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readVarint, varintBytes, writeVarint } from './varint.ts'

const MAX = Number.MAX_SAFE_INTEGER
const values = fc.oneof(
  fc.integer({ min: 1, max: MAX }),
  fc.integer({ min: 1, max: 70_000 }),
  fc.constantFrom(1, 127, 128, MAX),
)

describe('varints', () => {
  test('read back in as many bytes as were counted', () => {
    fc.assert(
      fc.property(values, fc.nat({ max: 3 }), (value, start) => {
        const bytes = new Uint8Array(12)
        expect(writeVarint(bytes, start, value)).toBe(start + varintBytes(value))
        expect(readVarint(bytes, start, MAX)).toBe(value)
        expect(readVarint(bytes, start, value - 1)).toBe(-1)
        expect(readVarint(bytes.subarray(0, start + varintBytes(value) - 1), start, MAX)).toBe(-1)
      }),
    )
  })

  test.each([[[0]], [[0x85, 0]], [[0x80, 0]], [[]], [[0x80]], [[255, 255, 255, 255, 255, 255, 255, 255, 1]]])(
    '%j is not the shortest form of a positive safe integer',
    (bytes) => {
      expect(readVarint(Uint8Array.from(bytes), 0, MAX)).toBe(-1)
    },
  )
})
