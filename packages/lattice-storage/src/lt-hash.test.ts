import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createLtHash, LT_HASH_BYTES } from './lt-hash.ts'

/** Elements whose lanes carry often: many are close to the ends of their range. */
const lanes = fc.oneof(fc.constantFrom(0, 1, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff), fc.nat({ max: 0xffff }))
const elements = fc
  .array(lanes, { minLength: 16, maxLength: 16 })
  .map((some) => Uint16Array.from({ length: LT_HASH_BYTES / 2 }, (_, lane) => some[lane % some.length] ?? 0))

const bytesOf = (element: Uint16Array): Uint8Array => new Uint8Array(element.buffer)

describe('LtHash', () => {
  // Model: each lane for itself, as a number.
  test('adds and removes each lane for itself, modulo 2^16', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), elements), { maxLength: 20 })
    fc.assert(
      fc.property(steps, (taken) => {
        const hash = createLtHash()
        const model = Array.from({ length: LT_HASH_BYTES / 2 }, () => 0)
        for (const [isAdded, element] of taken) {
          if (isAdded) hash.add(bytesOf(element))
          else hash.remove(bytesOf(element))
          for (const [lane, value] of element.entries()) {
            model[lane] = ((model[lane] ?? 0) + (isAdded ? value : 0x10000 - value)) % 0x10000
          }
        }
        expect(hash.bytes()).toEqual(bytesOf(Uint16Array.from(model)))
      }),
      { numRuns: 50 },
    )
  })

  test('lanes are little-endian', () => {
    const hash = createLtHash()
    const element = new Uint8Array(LT_HASH_BYTES)
    element.set([0xff, 0x00, 0xff, 0xff])
    hash.add(element)
    hash.add(element)
    expect([...hash.bytes().subarray(0, 6)]).toEqual([0xfe, 0x01, 0xfe, 0xff, 0, 0])
  })

  test('goes on from its bytes, at whatever place in memory they and an element lie', () => {
    const around = new Uint8Array(LT_HASH_BYTES + 3).map((_, index) => index * 7)
    for (const offset of [0, 1, 2, 3]) {
      const element = around.subarray(offset, offset + LT_HASH_BYTES)
      const hash = createLtHash(element)
      hash.add(element)
      const doubled = createLtHash()
      doubled.add(element)
      doubled.add(element)
      expect(hash.bytes()).toEqual(doubled.bytes())
      expect(element[0]).toBe((offset * 7) % 256)
    }
  })

  test('its bytes are a copy, and of one length', () => {
    const hash = createLtHash()
    hash.bytes().fill(1)
    expect(hash.bytes()).toEqual(new Uint8Array(LT_HASH_BYTES))
    expect(() => hash.add(new Uint8Array(LT_HASH_BYTES - 1))).toThrow('2,048 bytes')
    expect(() => createLtHash(new Uint8Array(32))).toThrow('2,048 bytes')
  })
})
