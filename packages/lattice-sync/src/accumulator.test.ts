import { toHash, toHex } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  accumulate,
  addAccumulators,
  digestOf,
  EMPTY_ACCUMULATOR,
  fingerprintOf,
  subtractAccumulators,
} from './accumulator.ts'

const ids = fc.array(
  fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => toHash(bytes)),
  { maxLength: 12 },
)
const littleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(bytes.toReversed())}`)

describe('accumulators', () => {
  test('a sum is that of little-endian integers mod 2^256', () => {
    fc.assert(
      fc.property(ids, (all) => {
        const { sum, count } = accumulate(all)
        const expected = all.reduce((total, id) => (total + littleEndian(id)) % 2n ** 256n, 0n)
        expect(littleEndian(sum)).toBe(expected)
        expect(count).toBe(all.length)
      }),
    )
  })

  test('a carry runs through all bytes and out', () => {
    const one = toHash(Uint8Array.of(1, ...new Uint8Array(31)))
    const largest = toHash(new Uint8Array(32).fill(255))
    expect(accumulate([largest, one])).toEqual({ sum: new Uint8Array(32), count: 2 })
  })

  test('parts add up to the whole, and subtract from it', () => {
    fc.assert(
      fc.property(ids, ids, (a, b) => {
        const whole = accumulate([...a, ...b])
        expect(addAccumulators(accumulate(a), accumulate(b))).toEqual(whole)
        expect(subtractAccumulators(whole, accumulate(b))).toEqual(accumulate(a))
      }),
    )
  })

  test('the empty set keeps its published fingerprint, and a digest starts with the fingerprint', () => {
    // SHA-256 of 33 zero bytes.
    expect(toHex(fingerprintOf(EMPTY_ACCUMULATOR))).toBe('7f9c9e31ac8256ca2f258583df262dbc')
    expect(digestOf(EMPTY_ACCUMULATOR).slice(0, 16)).toEqual(fingerprintOf(EMPTY_ACCUMULATOR).slice())
  })

  test('the count is part of the fingerprint: ids that sum to nothing are seen', () => {
    expect(fingerprintOf(accumulate([toHash(new Uint8Array(32))]))).not.toEqual(fingerprintOf(EMPTY_ACCUMULATOR))
  })

  test('a part with more ids than the whole is a bug', () => {
    const one = accumulate([toHash(new Uint8Array(32))])
    expect(() => subtractAccumulators(EMPTY_ACCUMULATOR, one)).toThrow('no more ids than the whole')
  })
})
