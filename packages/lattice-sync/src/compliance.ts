/**
 * What every `RangeIndex` must do, as cases to run in any test framework.
 *
 * Each case drives an index and a plain sorted array through the same changes, drawn from a fixed seed, and compares
 * every answer. A failure throws.
 *
 * @module
 */
import { assert, equalBytes, type Random, toHash } from '@lattice/model'
import { accumulate, digestOf } from './accumulator.ts'
import {
  type Bound,
  boundAt,
  boundBetween,
  compareItems,
  FIRST_BOUND,
  INFINITY_BOUND,
  isBelow,
  type Item,
} from './item.ts'
import type { RangeIndex } from './range-index.ts'

/** An index under test with its way to change it. */
export interface IndexUnderTest {
  readonly index: RangeIndex
  /** False when the very item is there already. */
  readonly insert: (item: Item) => boolean
  /** False when there is no such item. */
  readonly delete: (item: Item) => boolean
}

export interface ComplianceCase {
  readonly name: string
  readonly run: () => void
}

export interface ComplianceOptions {
  /** Opens an empty index. */
  readonly open: () => IndexUnderTest
  /** Seeded: the cases repeat. */
  readonly random: Random
  /** Changes per case; 600 by default, enough to split and empty small nodes. */
  readonly changes?: number
}

/** The cases, to be run one by one. */
export function rangeIndexCompliance({ open, random, changes = 600 }: ComplianceOptions): readonly ComplianceCase[] {
  const check = (timestamps: number): void => checkAgainstModel({ ...open(), random, changes, timestamps })
  return [
    { name: 'an empty index has no items and sums to nothing', run: () => compareAll(open().index, []) },
    { name: 'answers as a sorted array does, when all timestamps are equal', run: () => check(1) },
    { name: 'answers as a sorted array does, when some timestamps are equal', run: () => check(50) },
    { name: 'answers as a sorted array does, when timestamps rarely repeat', run: () => check(2 ** 40) },
  ]
}

interface ModelCheck extends IndexUnderTest {
  readonly random: Random
  readonly changes: number
  readonly timestamps: number
}

function checkAgainstModel({ index, insert, delete: remove, random, changes, timestamps }: ModelCheck): void {
  const model: Item[] = []
  for (let change = 0; change < changes; change += 1) {
    const existing = model[drawBelow(random, model.length + 1)]
    if (existing !== undefined && drawBelow(random, 3) === 0) {
      assert(remove(existing), 'an item that is there is deleted')
      assert(!remove(existing), 'an item is deleted once')
      model.splice(model.indexOf(existing), 1)
    } else {
      const item: Item = { timestamp: drawBelow(random, timestamps), id: toHash(random.bytes(32)) }
      assert(insert(item), 'a new item is inserted')
      assert(!insert({ ...item }), 'an item is inserted once')
      model.push(item)
      model.sort(compareItems)
    }
    if (change % 100 === 99) compareAll(index, model)
    compareRange(index, model, random)
  }
  for (const item of model.splice(0)) assert(remove(item), 'every item can be deleted')
  compareAll(index, model)
}

function compareAll(index: RangeIndex, model: readonly Item[]): void {
  assert(index.size() === model.length, 'the size is the number of items')
  compareItemsOf(index, model, [0, model.length])
  assert(index.lowerBound(FIRST_BOUND) === 0, 'no item is below the first bound')
  assert(index.lowerBound(INFINITY_BOUND) === model.length, 'every item is below infinity')
  for (const [rank, item] of model.entries()) {
    assert(compareItems(index.at(rank), item) === 0, 'ranks follow the order')
    assert(index.lowerBound(boundAt(item)) === rank, 'the bound at an item has its rank')
    const next = model[rank + 1]
    if (next !== undefined) assert(index.lowerBound(boundBetween(item, next)) === rank + 1, 'bounds separate items')
  }
}

function compareRange(index: RangeIndex, model: readonly Item[], random: Random): void {
  const ends = [drawBelow(random, model.length + 1), drawBelow(random, model.length + 1)].sort((a, b) => a - b)
  compareItemsOf(index, model, [ends[0] ?? 0, ends[1] ?? 0])
  const sample = model[drawBelow(random, model.length + 1)]
  const bound: Bound = {
    timestamp: sample?.timestamp ?? drawBelow(random, 1000),
    prefix: random.bytes(drawBelow(random, 33)),
  }
  const expected = model.filter((item) => isBelow(item, bound)).length
  assert(index.lowerBound(bound) === expected, 'a lower bound counts the items below')
}

function compareItemsOf(index: RangeIndex, model: readonly Item[], [begin, end]: readonly [number, number]): void {
  const items = model.slice(begin, end)
  const found = [...index.items(begin, end)]
  assert(found.length === items.length, 'a range has all its items')
  for (const [position, item] of items.entries()) {
    const other = found[position]
    assert(other !== undefined && compareItems(other, item) === 0, 'a range has its items in order')
  }
  const expected = digestOf(accumulate(items.map((item) => item.id)))
  assert(equalBytes(digestOf(index.accumulate(begin, end)), expected), 'a range sums to its ids and their count')
}

/** Uniform enough for choosing cases. */
function drawBelow(random: Random, limit: number): number {
  return random.bytes(6).reduce((sum, byte) => sum * 256 + byte, 0) % limit
}
