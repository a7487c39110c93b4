import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes, concatBytes, equalBytes, fromHex, toHex, utf8Decode, utf8Encode } from './bytes.ts'

describe('hex', () => {
  test('reads back what it writes, in either case', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(fromHex(toHex(bytes))).toEqual(bytes)
        expect(fromHex(toHex(bytes).toUpperCase())).toEqual(bytes)
      }),
    )
  })

  test.each(['0', 'abc', 'zz', '0g', ' 0', '0x', 'é0', '/0', ':0', '@a', '`a'])('%j is not hex', (text) => {
    expect(fromHex(text)).toBeUndefined()
  })
})

describe('order', () => {
  test('is that of the bytes as unsigned numbers, then of length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4 }), fc.uint8Array({ maxLength: 4 }), (a, b) => {
        // Lower-case hex sorts as the bytes do.
        const expected = toHex(a) < toHex(b) ? -1 : toHex(a) > toHex(b) ? 1 : 0
        expect(Math.sign(compareBytes(a, b))).toBe(expected)
        expect(equalBytes(a, b)).toBe(expected === 0)
      }),
    )
  })
})

test('joining keeps every part in order', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 5 })), (parts) => {
      expect(toHex(concatBytes(...parts))).toBe(parts.map(toHex).join(''))
    }),
  )
})

describe('UTF-8', () => {
  test('reads back every well-formed text, a byte order mark included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(utf8Decode(utf8Encode(text))).toBe(text)
      }),
    )
    expect(utf8Decode(utf8Encode('\uFEFFa'))).toBe('\uFEFFa')
  })

  test('is decoded to one text per byte string, or not at all', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = utf8Decode(bytes)
        if (text !== undefined) expect(utf8Encode(text)).toEqual(bytes)
      }),
    )
  })

  test.each(['ff', 'c0af', 'eda080', 'f8888080', 'e282'])('%s is not UTF-8', (hex) => {
    expect(utf8Decode(fromHex(hex) ?? new Uint8Array())).toBeUndefined()
  })
})
