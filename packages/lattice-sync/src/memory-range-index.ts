/**
 * A range index in memory: for tests, small sets and hosts without a disk.
 *
 * It holds every item, so it is as large as the set; stores of any size keep theirs on disk behind the same port.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { subtractFrom } from './accumulator.ts'
import { BlockList } from './block-list.ts'
import { assertItem, compareItems, isBelow, type Item } from './item.ts'
import type { RangeIndex } from './range-index.ts'

/** A batch of at least this share of the index is merged in one pass; a smaller one goes in item by item. */
const MERGE_SHARE = 1 / 16

/** A {@link RangeIndex} that can be written. Items are kept by reference: their ids are not written to any more. */
export interface MemoryRangeIndex extends RangeIndex {
  /** False when the very item is there already. */
  readonly insert: (item: Item) => boolean
  /** Inserts many in any order; answers how many were new. */
  readonly insertAll: (items: Iterable<Item>) => number
  /** False when there is no such item. */
  readonly delete: (item: Item) => boolean
}

/** An index of `items`, empty by default. */
export function createMemoryRangeIndex(items: Iterable<Item> = []): MemoryRangeIndex {
  const list = new BlockList()

  function insertAll(batch: Iterable<Item>): number {
    const added = [...batch]
    for (const item of added) assertItem(item)
    const before = list.count
    if (added.length < before * MERGE_SHARE) {
      for (const item of added) list.insert(item)
      return list.count - before
    }
    const all = [...list.items(0, before), ...added].sort(compareItems)
    list.rebuild(all.filter((item, position) => position === 0 || compareItems(all[position - 1] ?? item, item) !== 0))
    return list.count - before
  }

  function assertRange(begin: number, end: number): void {
    assert(begin >= 0 && begin <= end && end <= list.count, 'ranges lie within the index')
  }

  insertAll(items)
  return {
    size: () => list.count,
    lowerBound: (bound) => list.rank((item) => isBelow(item, bound)),
    at: (rank) => {
      assert(rank >= 0 && rank < list.count, 'a rank lies within the index')
      return list.at(rank)
    },
    accumulate: (begin, end) => {
      assertRange(begin, end)
      const sum = list.sumBelow(end)
      subtractFrom(sum, list.sumBelow(begin))
      return { sum, count: end - begin }
    },
    items: (begin, end) => {
      assertRange(begin, end)
      return list.items(begin, end)
    },
    insert: (item) => {
      assertItem(item)
      return list.insert(item)
    },
    insertAll,
    delete: (item) => {
      assertItem(item)
      return list.delete(item)
    },
  }
}
