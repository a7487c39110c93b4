import { InvariantViolation, toHash } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accumulate, digestOf } from './accumulator.ts'
import { rangeIndexCompliance } from './compliance.ts'
import { compareItems, type Item } from './item.ts'
import { createMemoryRangeIndex } from './memory-range-index.ts'

const items = fc.array(
  fc
    .record({ timestamp: fc.nat({ max: 20 }), id: fc.uint8Array({ minLength: 32, maxLength: 32 }) })
    .map(({ timestamp, id }): Item => ({ timestamp, id: toHash(id) })),
  { maxLength: 40 },
)

describe('the memory index', () => {
  const open = () => {
    const index = createMemoryRangeIndex()
    return { index, insert: index.insert, delete: index.delete }
  }
  for (const { name, run } of rangeIndexCompliance({ open, random: createSeededRandom(11), changes: 1000 })) {
    test(name, run)
  }

  test('batches of any size and order give the index that single inserts give', () => {
    fc.assert(
      fc.property(fc.array(items, { maxLength: 5 }), (batches) => {
        const whole = createMemoryRangeIndex()
        const single = createMemoryRangeIndex()
        for (const batch of batches) {
          const added = batch.filter((item) => single.insert(item)).length
          expect(whole.insertAll(batch)).toBe(added)
        }
        expect([...whole.items(0, whole.size())]).toEqual([...single.items(0, single.size())])
        expect([...whole.items(0, whole.size())].toSorted(compareItems)).toEqual([...whole.items(0, whole.size())])
      }),
    )
  })

  test('appends and a late batch over many blocks keep every sum', () => {
    const random = createSeededRandom(3)
    const drawn = Array.from({ length: 3000 }, (_, timestamp): Item => ({ timestamp, id: toHash(random.bytes(32)) }))
    const index = createMemoryRangeIndex()
    for (const item of drawn.slice(0, 2900)) index.insert(item)
    index.insertAll(drawn.slice(2900).reverse())
    for (const [begin, end] of [
      [0, 3000],
      [1, 257],
      [256, 512],
      [255, 2999],
      [2899, 2901],
    ] as const) {
      const ids = drawn.slice(begin, end).map((item) => item.id)
      expect(digestOf(index.accumulate(begin, end))).toEqual(digestOf(accumulate(ids)))
    }
  })

  test('an iteration notices that the index changed under it', () => {
    const random = createSeededRandom(5)
    const item = (timestamp: number): Item => ({ timestamp, id: toHash(random.bytes(32)) })
    const index = createMemoryRangeIndex([item(1), item(2)])
    const iteration = index.items(0, 2)
    iteration.next()
    index.insert(item(3))
    expect(() => iteration.next()).toThrow(InvariantViolation)
  })

  test('ranks and items outside the contract are bugs', () => {
    const index = createMemoryRangeIndex()
    expect(() => index.at(0)).toThrow('a rank lies within the index')
    expect(() => index.accumulate(0, 1)).toThrow('ranges lie within the index')
    expect(() => index.insert({ timestamp: -1, id: toHash(new Uint8Array(32)) })).toThrow('a safe integer from 0')
    expect(() => index.insert({ timestamp: 2 ** 53, id: toHash(new Uint8Array(32)) })).toThrow('a safe integer from 0')
  })
})
