/**
 * A range index in memory: sorted blocks, each with its sum, and prefix sums over the blocks.
 *
 * A change touches one block and marks the prefix sums behind it as stale; the next query renews them. Items arrive
 * nearly in time order, so what is renewed is short. A query costs a binary search and at most one block on each side.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { type Accumulator, addInto, subtractFrom, SUM_BYTES } from './accumulator.ts'
import { assertItem, type Bound, compareItems, isBelow, type Item } from './item.ts'
import type { RangeIndex } from './range-index.ts'

/** Items of a block at most: a query adds up part of two blocks, an insert moves part of one. */
const BLOCK_ITEMS_MAX = 256
/** A batch at least this part of the index is merged in one pass; a smaller one goes in item by item. */
const MERGE_SHARE = 1 / 16

/** A {@link RangeIndex} that can be written. Items are kept by reference and not written to any more. */
export interface MemoryRangeIndex extends RangeIndex {
  /** False when the very item is there already. */
  readonly insert: (item: Item) => boolean
  /** Inserts many in any order; answers how many were new. */
  readonly insertAll: (items: Iterable<Item>) => number
  /** False when there is no such item. */
  readonly delete: (item: Item) => boolean
}

interface Block {
  readonly items: Item[]
  readonly sum: Uint8Array
}

/** The first position in `[0, length)` where `isBefore` no longer holds; it holds for a prefix. */
function partition(length: number, isBefore: (position: number) => boolean): number {
  let begin = 0
  let end = length
  while (begin < end) {
    const middle = (begin + end) >>> 1
    if (isBefore(middle)) begin = middle + 1
    else end = middle
  }
  return begin
}

function blockOf(items: Item[]): Block {
  const sum = new Uint8Array(SUM_BYTES)
  for (const item of items) addInto(sum, item.id)
  return { items, sum }
}

/** An index of `items`, empty by default. */
export function createMemoryRangeIndex(items: Iterable<Item> = []): MemoryRangeIndex {
  let blocks: Block[] = []
  // Ranks and sums before each block, and after the last; the first `fresh + 1` entries are up to date.
  let starts: number[] = [0]
  let sums: Uint8Array[] = [new Uint8Array(SUM_BYTES)]
  let fresh = 0
  let count = 0
  let version = 0

  function touch(block: number): void {
    fresh = Math.min(fresh, block)
    version += 1
  }

  function refresh(): void {
    for (; fresh < blocks.length; fresh += 1) {
      const block = blockAt(fresh)
      const sum = sumBefore(fresh).slice()
      addInto(sum, block.sum)
      sums[fresh + 1] = sum
      starts[fresh + 1] = startOf(fresh) + block.items.length
    }
  }

  function blockAt(position: number): Block {
    const block = blocks[position]
    assert(block !== undefined, 'a block position lies within the index')
    return block
  }

  function startOf(position: number): number {
    const start = starts[position]
    assert(start !== undefined && position <= fresh, 'block starts are up to date')
    return start
  }

  function sumBefore(position: number): Uint8Array {
    const sum = sums[position]
    assert(sum !== undefined && position <= fresh, 'block sums are up to date')
    return sum
  }

  /** Position of the first block with an item for which `isBefore` does not hold. */
  function findBlock(isBefore: (item: Item) => boolean): number {
    return partition(blocks.length, (position) => {
      const last = blockAt(position).items.at(-1)
      assert(last !== undefined, 'no block is empty')
      return isBefore(last)
    })
  }

  function findIn(block: Block, isBefore: (item: Item) => boolean): number {
    return partition(block.items.length, (position) => {
      const item = block.items[position]
      assert(item !== undefined, 'a partition stays within its block')
      return isBefore(item)
    })
  }

  function locate(rank: number): { readonly block: Block; readonly position: number; readonly offset: number } {
    refresh()
    const position = partition(blocks.length, (candidate) => startOf(candidate + 1) <= rank)
    return { block: blockAt(position), position, offset: rank - startOf(position) }
  }

  function sumBelow(rank: number): Uint8Array {
    if (rank === count) {
      refresh()
      return sumBefore(blocks.length).slice()
    }
    const { block, position, offset } = locate(rank)
    const isNearEnd = offset > block.items.length / 2
    const sum = sumBefore(isNearEnd ? position + 1 : position).slice()
    const change = isNearEnd ? subtractFrom : addInto
    for (const item of isNearEnd ? block.items.slice(offset) : block.items.slice(0, offset)) change(sum, item.id)
    return sum
  }

  function assertRange(begin: number, end: number): void {
    assert(begin >= 0 && begin <= end && end <= count, 'ranks lie within the index')
  }

  function insert(item: Item): boolean {
    assertItem(item)
    const isBefore = (other: Item): boolean => compareItems(other, item) < 0
    const position = Math.min(findBlock(isBefore), blocks.length - 1)
    if (position < 0) {
      rebuild([item])
      return true
    }
    const block = blockAt(position)
    const offset = findIn(block, isBefore)
    const other = block.items[offset]
    if (other !== undefined && compareItems(other, item) === 0) return false
    block.items.splice(offset, 0, item)
    addInto(block.sum, item.id)
    count += 1
    if (block.items.length > BLOCK_ITEMS_MAX) {
      const isAppend = position === blocks.length - 1 && offset === block.items.length - 1
      // A full block that only grows at its end is left full; any other is halved.
      const cut = isAppend ? BLOCK_ITEMS_MAX : BLOCK_ITEMS_MAX / 2
      blocks.splice(position, 1, blockOf(block.items.slice(0, cut)), blockOf(block.items.slice(cut)))
    }
    touch(position)
    return true
  }

  function insertAll(batch: Iterable<Item>): number {
    const added = [...batch]
    const before = count
    if (added.length < count * MERGE_SHARE) {
      for (const item of added) insert(item)
      return count - before
    }
    for (const item of added) assertItem(item)
    const all = blocks.flatMap((block) => block.items).concat(added)
    all.sort(compareItems)
    rebuild(all.filter((item, position) => position === 0 || compareItems(all[position - 1] ?? item, item) !== 0))
    return count - before
  }

  function rebuild(sorted: readonly Item[]): void {
    blocks = []
    for (let begin = 0; begin < sorted.length; begin += BLOCK_ITEMS_MAX) {
      blocks.push(blockOf(sorted.slice(begin, begin + BLOCK_ITEMS_MAX)))
    }
    count = sorted.length
    touch(0)
  }

  function remove(item: Item): boolean {
    assertItem(item)
    const isBefore = (other: Item): boolean => compareItems(other, item) < 0
    const position = findBlock(isBefore)
    if (position === blocks.length) return false
    const block = blockAt(position)
    const offset = findIn(block, isBefore)
    const other = block.items[offset]
    if (other === undefined || compareItems(other, item) !== 0) return false
    block.items.splice(offset, 1)
    subtractFrom(block.sum, item.id)
    count -= 1
    const next = blocks[position + 1]
    if (block.items.length === 0) blocks.splice(position, 1)
    else if (next !== undefined && block.items.length + next.items.length <= BLOCK_ITEMS_MAX / 2) {
      blocks.splice(position, 2, blockOf(block.items.concat(next.items)))
    }
    touch(position)
    return true
  }

  function* iterate(begin: number, end: number): IterableIterator<Item> {
    assertRange(begin, end)
    if (begin === end) return
    const startedAt = version
    const from = locate(begin)
    let offset = from.offset
    let left = end - begin
    for (let position = from.position; left > 0; position += 1, offset = 0) {
      for (const item of blockAt(position).items.slice(offset, offset + left)) {
        assert(version === startedAt, 'an index does not change under an iteration')
        yield item
        left -= 1
      }
    }
  }

  insertAll(items)
  return {
    size: () => count,
    lowerBound: (bound: Bound) => {
      const isBefore = (item: Item): boolean => isBelow(item, bound)
      const position = findBlock(isBefore)
      if (position === blocks.length) return count
      refresh()
      return startOf(position) + findIn(blockAt(position), isBefore)
    },
    at: (rank) => {
      assert(rank >= 0 && rank < count, 'a rank lies within the index')
      const { block, offset } = locate(rank)
      const item = block.items[offset]
      assert(item !== undefined, 'a located rank has an item')
      return item
    },
    accumulate: (begin, end): Accumulator => {
      assertRange(begin, end)
      const sum = sumBelow(end)
      subtractFrom(sum, sumBelow(begin))
      return { sum, count: end - begin }
    },
    items: iterate,
    insert,
    insertAll,
    delete: remove,
  }
}
