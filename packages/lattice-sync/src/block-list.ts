/**
 * Sorted items in blocks, each with its sum, and prefix sums over the blocks.
 *
 * A change touches one block and marks the prefix sums behind it as stale; the next query renews them. Items arrive
 * nearly in time order, so what is renewed is short. A query costs a binary search and half a block on each side.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { addInto, subtractFrom, SUM_BYTES } from './accumulator.ts'
import { compareItems, type Item } from './item.ts'

/** Items of a block at most: a query adds up part of two blocks, an insert moves part of one. */
const BLOCK_ITEMS_MAX = 256

interface Block {
  readonly items: Item[]
  readonly sum: Uint8Array
}

/** A place in the list: an offset in a block, and what lies before that block. */
interface Place {
  readonly block: Block
  readonly position: number
  readonly offset: number
}

/** The mutable heart of the memory index. Ranks and items given to it are checked by its owner. */
export class BlockList {
  #blocks: Block[] = []
  // Ranks and sums before each block, and after the last; the first `#fresh + 1` entries are up to date.
  readonly #starts: number[] = [0]
  readonly #sums: Uint8Array[] = [new Uint8Array(SUM_BYTES)]
  #fresh = 0
  #count = 0
  #version = 0

  get count(): number {
    return this.#count
  }

  /** Replaces everything by `sorted`, ascending and without duplicates. */
  rebuild(sorted: readonly Item[]): void {
    this.#blocks = []
    for (let begin = 0; begin < sorted.length; begin += BLOCK_ITEMS_MAX) {
      this.#blocks.push(blockOf(sorted.slice(begin, begin + BLOCK_ITEMS_MAX)))
    }
    this.#count = sorted.length
    this.#touch(0)
  }

  insert(item: Item): boolean {
    const place = this.#placeFor(item)
    if (place === undefined) {
      this.rebuild([item])
      return true
    }
    const { block, position, offset } = place
    const other = block.items[offset]
    if (other !== undefined && compareItems(other, item) === 0) return false
    block.items.splice(offset, 0, item)
    addInto(block.sum, item.id)
    this.#count += 1
    if (block.items.length > BLOCK_ITEMS_MAX) {
      const isAppend = position === this.#blocks.length - 1 && offset === block.items.length - 1
      // A full block that only grows at its end is left full; any other is halved.
      const cut = isAppend ? BLOCK_ITEMS_MAX : BLOCK_ITEMS_MAX / 2
      this.#blocks.splice(position, 1, blockOf(block.items.slice(0, cut)), blockOf(block.items.slice(cut)))
    }
    this.#touch(position)
    return true
  }

  delete(item: Item): boolean {
    const place = this.#placeFor(item)
    if (place === undefined) return false
    const { block, position, offset } = place
    const other = block.items[offset]
    if (other === undefined || compareItems(other, item) !== 0) return false
    block.items.splice(offset, 1)
    subtractFrom(block.sum, item.id)
    this.#count -= 1
    const next = this.#blocks[position + 1]
    if (block.items.length === 0) this.#blocks.splice(position, 1)
    else if (next !== undefined && block.items.length + next.items.length <= BLOCK_ITEMS_MAX / 2) {
      this.#blocks.splice(position, 2, blockOf(block.items.concat(next.items)))
    }
    this.#touch(position)
    return true
  }

  /** How many items `isBefore` holds for; it holds for a prefix of the order. */
  rank(isBefore: (item: Item) => boolean): number {
    const position = this.#findBlock(isBefore)
    if (position === this.#blocks.length) return this.#count
    this.#refresh()
    return this.#startOf(position) + findIn(this.#blockAt(position), isBefore)
  }

  at(rank: number): Item {
    const { block, offset } = this.#locate(rank)
    return itemAt(block, offset)
  }

  /** The sum of the items below `rank`, in an array of its own. */
  sumBelow(rank: number): Uint8Array {
    if (rank === this.#count) {
      this.#refresh()
      return this.#sumBefore(this.#blocks.length).slice()
    }
    const { block, position, offset } = this.#locate(rank)
    const isNearEnd = offset > block.items.length / 2
    const sum = this.#sumBefore(isNearEnd ? position + 1 : position).slice()
    const change = isNearEnd ? subtractFrom : addInto
    const end = isNearEnd ? block.items.length : offset
    for (let index = isNearEnd ? offset : 0; index < end; index += 1) change(sum, itemAt(block, index).id)
    return sum
  }

  *items(begin: number, end: number): IterableIterator<Item> {
    if (begin === end) return
    const startedAt = this.#version
    const from = this.#locate(begin)
    let offset = from.offset
    let left = end - begin
    for (let position = from.position; left > 0; position += 1, offset = 0) {
      for (const item of this.#blockAt(position).items.slice(offset, offset + left)) {
        assert(this.#version === startedAt, 'an index does not change under an iteration')
        yield item
        left -= 1
      }
    }
  }

  #touch(position: number): void {
    this.#fresh = Math.min(this.#fresh, position)
    this.#version += 1
  }

  #refresh(): void {
    for (; this.#fresh < this.#blocks.length; this.#fresh += 1) {
      const block = this.#blockAt(this.#fresh)
      const sum = this.#sumBefore(this.#fresh).slice()
      addInto(sum, block.sum)
      this.#sums[this.#fresh + 1] = sum
      this.#starts[this.#fresh + 1] = this.#startOf(this.#fresh) + block.items.length
    }
  }

  #blockAt(position: number): Block {
    const block = this.#blocks[position]
    assert(block !== undefined, 'a block position lies within the index')
    return block
  }

  #startOf(position: number): number {
    const start = this.#starts[position]
    assert(start !== undefined && position <= this.#fresh, 'block starts are up to date')
    return start
  }

  #sumBefore(position: number): Uint8Array {
    const sum = this.#sums[position]
    assert(sum !== undefined && position <= this.#fresh, 'block sums are up to date')
    return sum
  }

  /** Position of the first block that does not lie wholly before. */
  #findBlock(isBefore: (item: Item) => boolean): number {
    return partition(this.#blocks.length, (position) => {
      const { items } = this.#blockAt(position)
      return isBefore(itemAt({ items }, items.length - 1))
    })
  }

  /** Where `item` is or belongs; `undefined` in an empty list. */
  #placeFor(item: Item): Place | undefined {
    const isBefore = (other: Item): boolean => compareItems(other, item) < 0
    const position = Math.min(this.#findBlock(isBefore), this.#blocks.length - 1)
    if (position < 0) return undefined
    const block = this.#blockAt(position)
    return { block, position, offset: findIn(block, isBefore) }
  }

  #locate(rank: number): Place {
    this.#refresh()
    const position = partition(this.#blocks.length, (candidate) => this.#startOf(candidate + 1) <= rank)
    return { block: this.#blockAt(position), position, offset: rank - this.#startOf(position) }
  }
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

function findIn(block: Block, isBefore: (item: Item) => boolean): number {
  return partition(block.items.length, (offset) => isBefore(itemAt(block, offset)))
}

function itemAt({ items }: Pick<Block, 'items'>, offset: number): Item {
  const item = items[offset]
  assert(item !== undefined, 'an offset lies within its block')
  return item
}

function blockOf(items: Item[]): Block {
  const sum = new Uint8Array(SUM_BYTES)
  for (const item of items) addInto(sum, item.id)
  return { items, sum }
}
