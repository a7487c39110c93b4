import { InvariantViolation, toHash, toHex } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { createNodeMap, type NodeMap } from '../test/node-map.ts'
import { accumulate, digestOf } from './accumulator.ts'
import { rangeIndexCompliance } from './compliance.ts'
import { boundAt, compareItems, INFINITY_BOUND, type Item } from './item.ts'
import { createMemoryRangeIndex } from './memory-range-index.ts'
import { NODE_BYTES_MAX, NODE_BYTES_MIN } from './node-layout.ts'
import { openRangeIndex, type PersistentRangeIndex } from './persistent-range-index.ts'
import type { RangeIndex } from './range-index.ts'

const random = createSeededRandom(17)
const itemAt = (timestamp: number): Item => ({ timestamp, id: toHash(random.bytes(32)) })

const problemsOf = (index: PersistentRangeIndex) => [...index.verify()].filter(({ problem }) => problem !== undefined)
const keysOf = (index: RangeIndex): readonly string[] =>
  Array.from(index.items(0, index.size()), ({ timestamp, id }) => `${timestamp} ${toHex(id)}`)
const digest = (index: RangeIndex) => toHex(digestOf(index.accumulate(0, index.size())))

/** Entries per leaf and inner node that are there. */
function commit(index: PersistentRangeIndex, store: NodeMap): void {
  index.flush()
  store.commit()
}

/** Head, full leaf, second leaf, root: version, level, records, checksum; then the head's own fields; then records. */
const GOLDEN: readonly string[] = [
  `01020001e4d4f8c8 0150 000000000004 000200000000 ${'19'.repeat(32)} 65${'69'.repeat(31)} 000000000009 000000000003`,
  `010000086d21b338 000200000000 ${'19'.repeat(32)} 000400000000 ${'32'.repeat(32)} 000600000000 ${'4b'.repeat(32)}
   000800000000 ${'64'.repeat(32)} 000a00000000 ${'7d'.repeat(32)} 000c00000000 ${'96'.repeat(32)}
   000e00000000 ${'af'.repeat(32)} 001000000000 ${'c8'.repeat(32)}`,
  `010000017b6f0db1 001200000000 ${'e1'.repeat(32)}`,
  `01010002f47be159 000200000000 ${'19'.repeat(32)} 84${'87'.repeat(31)} 000000000008 000000000001
   001200000000 ${'e1'.repeat(32)} ${'e1'.repeat(32)} 000000000001 000000000002`,
]

describe('the persistent index', () => {
  const shapes = [
    { nodeBytesMax: NODE_BYTES_MIN, cacheNodesMax: 1 },
    { nodeBytesMax: 700, cacheNodesMax: 5 },
    { nodeBytesMax: NODE_BYTES_MAX, cacheNodesMax: 1024 },
  ]
  for (const shape of shapes) {
    const open = () => {
      const index = openRangeIndex({ store: createNodeMap(), ...shape })
      return { index, insert: index.insert, delete: index.delete }
    }
    for (const { name, run } of rangeIndexCompliance({ open, random: createSeededRandom(11), changes: 400 })) {
      test(`with nodes of ${shape.nodeBytesMax} bytes, ${name}`, run)
    }
  }

  type Step =
    | { readonly kind: 'insert' | 'delete'; readonly from: number; readonly count: number; readonly stride: number }
    | { readonly kind: 'flush' | 'lost flush' | 'crash' | 'reopen' | 'compact' }
    | { readonly kind: 'failing flush'; readonly calls: number }
  const change = fc.record({
    kind: fc.constantFrom('insert', 'insert', 'delete'),
    from: fc.nat({ max: 300 }),
    count: fc.nat({ max: 80 }),
    stride: fc.constantFrom(1, 1, -1, 7),
  })
  const steps: fc.Arbitrary<readonly Step[]> = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: change },
      {
        weight: 3,
        arbitrary: fc.constantFrom('flush', 'lost flush', 'crash', 'reopen', 'compact').map((kind) => ({ kind })),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('failing flush'), calls: fc.nat({ max: 20 }) }) },
    ),
    { minLength: 5, maxLength: 30 },
  ) as fc.Arbitrary<readonly Step[]>

  test('is what a sorted array is, over changes, flushes, failed ones, crashes, evictions and packing', () => {
    const pool = Array.from({ length: 301 }, (_, number) => itemAt(Math.floor(number / 3)))
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 4 }), fc.constantFrom(NODE_BYTES_MIN, 500), (all, cache, size) => {
        const store = createNodeMap()
        const options = { store, cacheNodesMax: cache, nodeBytesMax: size }
        let index = openRangeIndex(options)
        const model = new Set<Item>()
        let durable: readonly Item[] = []
        const restart = (): void => {
          model.clear()
          for (const item of durable) model.add(item)
        }
        for (const step of all) {
          if (step.kind === 'insert' || step.kind === 'delete') {
            for (let turn = 0; turn < step.count; turn += 1) {
              const item = pool[(((step.from + turn * step.stride) % 301) + 301) % 301] ?? itemAt(0)
              if (step.kind === 'insert') expect(index.insert(item)).toBe(!model.has(item))
              else expect(index.delete(item)).toBe(model.has(item))
              if (step.kind === 'insert') model.add(item)
              else model.delete(item)
            }
          } else if (step.kind === 'flush') {
            commit(index, store)
            durable = [...model]
          } else if (step.kind === 'crash' || step.kind === 'lost flush') {
            if (step.kind === 'lost flush') index.flush()
            store.rollback()
            index.reload()
            restart()
          } else if (step.kind === 'reopen') {
            store.rollback()
            index = openRangeIndex(options)
            restart()
          } else if (step.kind === 'compact') {
            for (let left = 40; left > 0 && !index.compact();) left -= 1
          } else {
            store.failAfter('calls' in step ? step.calls : 0)
            let failed = false
            try {
              index.flush()
            } catch {
              failed = true
            }
            if (failed) {
              expect(() => index.size()).toThrow('an index that failed to change is reloaded')
              store.rollback()
              index.reload()
              restart()
            } else {
              store.failAfter(Infinity)
              store.commit()
              durable = [...model]
            }
          }
          const expected = [...model].sort(compareItems)
          expect(index.size()).toBe(expected.length)
          expect(digest(index)).toBe(toHex(digestOf(accumulate(expected.map(({ id }) => id)))))
          const middle = expected.length >>> 1
          expect(toHex(digestOf(index.accumulate(middle, expected.length)))).toBe(
            toHex(digestOf(accumulate(expected.slice(middle).map(({ id }) => id)))),
          )
        }
        const expected = createMemoryRangeIndex(model)
        expect(keysOf(index)).toEqual(keysOf(expected))
        expect(problemsOf(index)).toEqual([])
        commit(index, store)
        const again = openRangeIndex(options)
        expect(keysOf(again)).toEqual(keysOf(expected))
        expect(problemsOf(again)).toEqual([])
      }),
      { numRuns: 100 },
    )
  })

  test('nodes that lose their first children and are joined keep every item where it is looked for', () => {
    const draw = createSeededRandom(31)
    const below = (limit: number): number => draw.bytes(4).reduce((sum, byte) => sum * 256 + byte, 0) % limit
    const store = createNodeMap()
    const index = openRangeIndex({ store, cacheNodesMax: 2, nodeBytesMax: NODE_BYTES_MIN })
    const model = createMemoryRangeIndex()
    for (let round = 0; round < 150; round += 1) {
      if (model.size() < 30) {
        const grown = Array.from({ length: 200 }, (_, number) => itemAt(number * 100))
        expect([index.insertAll(grown), model.insertAll(grown)]).toEqual([200, 200])
      }
      // A stretch goes, and a little of it comes back.
      const begin = below(model.size())
      const gone = [...model.items(begin, Math.min(model.size(), begin + 1 + below(24)))]
      for (const item of gone) expect([index.delete(item), model.delete(item)]).toEqual([true, true])
      for (let more = below(4); more > 0; more -= 1) {
        const item = itemAt((gone[below(gone.length)]?.timestamp ?? 0) + below(100))
        expect([index.insert(item), model.insert(item)]).toEqual([true, true])
      }
      expect(problemsOf(index)).toEqual([])
      if (round % 3 === 0) commit(index, store)
    }
    expect(keysOf(index)).toEqual(keysOf(model))
    for (const item of model.items(0, model.size())) expect(index.delete(item)).toBe(true)
    expect(index.size()).toBe(0)
  })

  test('what deletes leave behind is joined with its neighbours', () => {
    const store = createNodeMap()
    const index = openRangeIndex({ store, nodeBytesMax: NODE_BYTES_MIN })
    const all = Array.from({ length: 2000 }, (_, number) => itemAt(number))
    index.insertAll(all)
    for (const [number, item] of all.entries()) if (number % 8 !== 3) index.delete(item)
    commit(index, store)
    // One of eight is left: a leaf each without joining, a quarter of a leaf at the least with it.
    expect(store.size()).toBeLessThan(2000 / 8 / 2)
    expect(problemsOf(index)).toEqual([])
  })

  test('no order of arrival leaves nodes nearly empty', () => {
    const orders: readonly ((number: number) => number)[] = [
      (number) => 5000 - number,
      (number) => (number % 2 === 0 ? number : 10_000 - number),
      // Runs that climb, and runs that fall, in the midst of others.
      (number) => ((number * 7) % 50) * 1000 + number,
      (number) => ((number * 7) % 50) * 1000 - number,
      // A run that falls towards the last item below a full inner node.
      (number) => (number < 320 ? number * 3000 : 32 * 3000 - number),
    ]
    for (const order of orders) {
      const store = createNodeMap()
      const index = openRangeIndex({ store, nodeBytesMax: NODE_BYTES_MIN })
      for (let number = 0; number < 3000; number += 1) index.insert(itemAt(50_000 + order(number)))
      index.flush()
      expect(store.size()).toBeLessThan((3000 / 8) * 2.2)
    }
  })

  test('a flush that fails at any call leaves what was there, and can be made again', () => {
    const durable = Array.from({ length: 60 }, (_, number) => itemAt(number * 2))
    const later = Array.from({ length: 30 }, (_, number) => itemAt(number * 4))
    for (let calls = 0; ; calls += 1) {
      const store = createNodeMap()
      const index = openRangeIndex({ store, cacheNodesMax: 2, nodeBytesMax: NODE_BYTES_MIN })
      index.insertAll(durable)
      commit(index, store)
      const change = (): void => {
        index.insertAll(later)
        for (const item of durable.slice(0, 40)) index.delete(item)
      }
      change()
      store.failAfter(calls)
      try {
        index.flush()
        expect(calls).toBeGreaterThan(15)
        return
      } catch {
        expect(() => index.insert(itemAt(1))).toThrow(InvariantViolation)
      }
      store.rollback()
      index.reload()
      expect(keysOf(index)).toEqual(keysOf(createMemoryRangeIndex(durable)))
      expect(problemsOf(index)).toEqual([])
      change()
      commit(index, store)
      expect(keysOf(index)).toEqual(keysOf(createMemoryRangeIndex([...durable.slice(40), ...later])))
      expect(problemsOf(index)).toEqual([])
    }
  })

  test('what arrives in order fills its leaves, and what arrives shuffled nearly does', () => {
    const bytesPerItem = (timestampOf: (number: number) => number): number => {
      const store = createNodeMap()
      const index = openRangeIndex({ store })
      for (let number = 0; number < 10_000; number += 1) index.insert(itemAt(timestampOf(number)))
      index.flush()
      return (store.size() * 4096) / 10_000
    }
    expect(bytesPerItem((number) => number)).toBeLessThan(41)
    expect(bytesPerItem((number) => number * 10 + ((number * 7919) % 5000))).toBeLessThan(49)
    // Two authors, one with a clock far behind.
    expect(bytesPerItem((number) => (number % 2 === 0 ? 0 : 1e9) + number)).toBeLessThan(44)
  })

  test('packing fills the leaves that deletes left, a bounded stretch at a time', () => {
    const store = createNodeMap()
    const index = openRangeIndex({ store })
    const all = Array.from({ length: 12_000 }, (_, number) => itemAt(number))
    index.insertAll(all)
    for (const [number, item] of all.entries()) if (number % 8 < 4) index.delete(item)
    commit(index, store)
    const before = store.size()
    let steps = 1
    while (!index.compact()) {
      expect(index.stats().changedNodes).toBeLessThan(120)
      commit(index, store)
      steps += 1
    }
    commit(index, store)
    expect(steps).toBeGreaterThan(1)
    expect(before).toBeGreaterThan(110)
    // 57 full leaves, a few more at the ends of stretches, and what leads to them.
    expect(store.size()).toBeLessThan(66)
    expect(problemsOf(index)).toEqual([])
    expect(keysOf(index)).toEqual(keysOf(createMemoryRangeIndex(all.filter((_, number) => number % 8 >= 4))))
  })

  test('deleting from the old end frees nodes as it goes', () => {
    const store = createNodeMap()
    const index = openRangeIndex({ store, nodeBytesMax: NODE_BYTES_MIN })
    const all = Array.from({ length: 1000 }, (_, number) => itemAt(number))
    index.insertAll(all)
    commit(index, store)
    const before = store.size()
    for (const item of all.slice(0, 900)) index.delete(item)
    commit(index, store)
    expect(store.size()).toBeLessThan(before / 7)
    for (const item of all.slice(900)) index.delete(item)
    commit(index, store)
    // The head and an empty root.
    expect(store.size()).toBe(2)
    expect(index.stats().levels).toBe(1)
    expect(problemsOf(index)).toEqual([])
  })

  test('an answer reads a node a level, opening reads one, and the cache keeps its bound', () => {
    const store = createNodeMap()
    const built = openRangeIndex({ store })
    built.insertAll(Array.from({ length: 20_000 }, (_, number) => itemAt(number)))
    commit(built, store)
    const index = openRangeIndex({ store, cacheNodesMax: 4 })
    expect(index.stats()).toEqual({ levels: 3, cachedNodes: 0, changedNodes: 0, reads: 0, writes: 0 })
    for (let turn = 1; turn <= 50; turn += 1) {
      index.accumulate(turn * 101, turn * 390)
      expect(index.stats().reads).toBeLessThanOrEqual(turn * 6)
      expect(index.stats().cachedNodes).toBeLessThanOrEqual(4)
    }
    const { reads } = index.stats()
    index.accumulate(0, 20_000)
    expect(index.stats().reads).toBe(reads)
  })

  test('questions in order read each node once, however small the cache', () => {
    const store = createNodeMap()
    const built = openRangeIndex({ store })
    built.insertAll(Array.from({ length: 20_000 }, (_, number) => itemAt(number)))
    commit(built, store)
    const all = [...built.items(0, 20_000)]
    const index = openRangeIndex({ store, cacheNodesMax: 1 })
    for (let begin = 0; begin < 20_000; begin += 10) {
      const [first, next] = [all[begin], all[begin + 10]]
      if (first === undefined) throw new Error('there are so many')
      expect(index.lowerBound(boundAt(first))).toBe(begin)
      expect(index.accumulate(begin, begin + 10)).toEqual(accumulate(all.slice(begin, begin + 10).map(({ id }) => id)))
      if (next !== undefined) expect(index.at(begin + 10)).toEqual(next)
    }
    // At an edge of a leaf a key may belong to either side: the way there is gone again from above.
    expect(index.stats().reads).toBeLessThan(2 * built.stats().writes)
  })

  test('a batch counts what is new', () => {
    const index = openRangeIndex({ store: createNodeMap() })
    const [first, second] = [itemAt(1), itemAt(2)]
    expect(index.insertAll([second, first, second])).toBe(2)
    expect(index.insertAll([first])).toBe(0)
    expect(keysOf(index)).toEqual(keysOf(createMemoryRangeIndex([first, second])))
  })

  test('an iteration notices that the index changed under it, and a flush is no change', () => {
    const index = openRangeIndex({ store: createNodeMap() })
    index.insertAll([itemAt(1), itemAt(2), itemAt(3)])
    const iteration = index.items(0, 3)
    iteration.next()
    index.flush()
    iteration.next()
    index.insert(itemAt(4))
    expect(() => iteration.next()).toThrow('an index does not change under an iteration')
  })

  test('an item that was handed out stays as it is when its node changes', () => {
    const index = openRangeIndex({ store: createNodeMap() })
    const item = itemAt(5)
    index.insert(item)
    const found = index.at(0)
    index.insert(itemAt(4))
    expect(toHex(found.id)).toBe(toHex(item.id))
  })

  test('bounds beyond what can be stored are above everything, and such items are bugs', () => {
    const index = openRangeIndex({ store: createNodeMap() })
    index.insert(itemAt(2 ** 48 - 1))
    expect(index.lowerBound({ timestamp: 2 ** 48 - 1, prefix: new Uint8Array(0) })).toBe(0)
    expect(index.lowerBound({ timestamp: 2 ** 48, prefix: new Uint8Array(0) })).toBe(1)
    expect(index.lowerBound(INFINITY_BOUND)).toBe(1)
    expect(() => index.insert(itemAt(2 ** 48))).toThrow('a timestamp of a stored item has 48 bits')
  })

  test('keeps its format on disk', () => {
    const store = createNodeMap()
    const index = openRangeIndex({ store, nodeBytesMax: NODE_BYTES_MIN })
    for (let number = 1; number <= 9; number += 1) {
      index.insert({ timestamp: number * 2 ** 33, id: toHash(new Uint8Array(32).fill(number * 25)) })
    }
    index.flush()
    const stored = [...store.nodes()].sort((a, b) => a - b).map((node) => toHex(store.read(node) ?? new Uint8Array(0)))
    expect(stored).toEqual(GOLDEN.map((text) => text.replaceAll(/\s/g, '')))
  })

  test('ranks outside the contract are bugs, and so are nodes too small and caches of nothing', () => {
    const store = createNodeMap()
    const index = openRangeIndex({ store })
    expect(() => index.at(0)).toThrow('a rank lies within the index')
    expect(() => index.accumulate(0, 1)).toThrow('ranges lie within the index')
    expect(() => index.items(1, 0)).toThrow('ranges lie within the index')
    expect(() => openRangeIndex({ store, nodeBytesMax: 300 })).toThrow('a node holds four children or more')
    expect(() => openRangeIndex({ store, cacheNodesMax: 0 })).toThrow('a cache keeps at least one page')
  })

  test('is a range index', () => {
    expectTypeOf<PersistentRangeIndex>().toExtend<RangeIndex>()
  })
})
