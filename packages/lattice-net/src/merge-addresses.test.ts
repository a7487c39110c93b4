import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_ADDRESSES } from './limits.ts'
import { mergeAddresses } from './merge-addresses.ts'

const half = MAX_ADDRESSES / 2
const addresses = fc.array(fc.stringMatching(/^[a-z]{1,2}$/u), { maxLength: 40 })

describe('the addresses of a dial', () => {
  test('hold the first half of either list, however long the other is', () => {
    fc.assert(
      fc.property(addresses, addresses, (remembered, found) => {
        const merged = mergeAddresses(remembered, found)
        expect(merged.length).toBeLessThanOrEqual(MAX_ADDRESSES)
        expect(new Set(merged).size).toBe(merged.length)
        for (const list of [remembered, found]) expect(merged).toEqual(expect.arrayContaining(list.slice(0, half)))
      }),
    )
  })

  test('begin with the one remembered best', () => {
    expect(mergeAddresses(['a', 'b'], ['c'])).toEqual(['a', 'c', 'b'])
    expect(mergeAddresses(['a'], ['a', 'b'])).toEqual(['a', 'b'])
    expect(mergeAddresses([], [])).toEqual([])
  })
})
