/**
 * A place in the tree that reads start from: questions about ranks and keys close to the last one cost a few records,
 * not a descent each.
 *
 * Reconciliation asks in order, so a message as a whole is one pass over the leaves it speaks of. Each level keeps how
 * many items lie before its record, and the sum of those before the record it was last asked for; both are moved on
 * from where they are. A change of the tree sends the cursor back to the top.
 *
 * @module
 */
import { assert } from '@lattice/model'
import type { Item } from './item.ts'
import type { Key } from './node-layout.ts'
import type { NodePage } from './node-page.ts'
import type { RangeTree, TreePath } from './range-tree.ts'
import { addSum, createSum, subtractSum, type SumLimbs } from './sum-limbs.ts'

/** Reads `tree`; `version` is another number after each change of it. */
export class RangeCursor {
  readonly #tree: RangeTree
  readonly #version: () => number
  readonly #levels: CursorLevel[] = []
  #depth = 0
  #readAt = -1
  /** The last sum asked for: where one range ends, the next begins. */
  readonly #sum: SumLimbs = createSum()
  #sumRank: number | undefined

  constructor(tree: RangeTree, version: () => number) {
    this.#tree = tree
    this.#version = version
  }

  /** How many items sort before `key`. */
  rankOf(key: Key): number {
    this.#refresh()
    let level = this.#at(this.#depth)
    while (this.#depth > 0 && !level.isAround(key)) level = this.#up()
    while (level.page.level > 0) {
      level.moveTo(level.page.childFor(key))
      level = this.#down(level)
    }
    level.moveTo(level.page.lowerBound(key))
    return level.begin + level.before
  }

  itemAt(rank: number): Item {
    const leaf = this.#seek(rank)
    return leaf.page.itemAt(leaf.slot)
  }

  /** The way to the item at a rank, for its asker to keep. */
  pathTo(rank: number): TreePath {
    this.#seek(rank)
    const levels = this.#levels.slice(0, this.#depth + 1)
    return { pages: levels.map(({ page }) => page), slots: levels.map(({ slot }) => slot) }
  }

  /** The sum of the items from rank `begin` up to `end`. */
  sumBetween(begin: number, end: number): SumLimbs {
    const sum = createSum()
    subtractSum(sum, this.#sumBelow(begin))
    addSum(sum, this.#sumBelow(end))
    return sum
  }

  /** Good until the next call. */
  #sumBelow(rank: number): SumLimbs {
    this.#refresh()
    const sum = this.#sum
    if (this.#sumRank === rank) return sum
    this.#sumRank = undefined
    sum.fill(0)
    if (rank === this.#tree.size()) this.#tree.top.addSums(sum, 0, 1)
    else if (rank > 0) {
      this.#seek(rank)
      for (let depth = 1; depth <= this.#depth; depth += 1) addSum(sum, this.#at(depth).sumBefore(this.#at(depth - 1)))
    }
    this.#sumRank = rank
    return sum
  }

  /** The leaf that has the item at `rank`, moved to it. */
  #seek(rank: number): CursorLevel {
    assert(rank >= 0 && rank < this.#tree.size(), 'a rank lies within the index')
    this.#refresh()
    let level = this.#at(this.#depth)
    while (rank < level.begin || rank >= level.begin + level.items) level = this.#up()
    level.moveToItem(rank - level.begin)
    while (level.page.level > 0) {
      level = this.#down(level)
      level.moveToItem(rank - level.begin)
    }
    return level
  }

  #refresh(): void {
    const version = this.#version()
    if (this.#readAt === version) return
    this.#readAt = version
    this.#sumRank = undefined
    this.#depth = 0
    this.#enter({ page: this.#tree.top, begin: 0, items: this.#tree.size() })
  }

  #up(): CursorLevel {
    assert(this.#depth > 0, 'the top holds everything')
    this.#depth -= 1
    return this.#at(this.#depth)
  }

  /** Into the child that `level` is at. Where the store is damaged, the cursor stays above it. */
  #down(level: CursorLevel): CursorLevel {
    const { page, slot, begin, before } = level
    const child = this.#tree.child(page, slot)
    this.#depth += 1
    return this.#enter({ page: child, begin: begin + before, items: page.itemsAt(slot) })
  }

  #enter(entered: EnteredPage): CursorLevel {
    const level = this.#levels[this.#depth]
    if (level === undefined) {
      const created = new CursorLevel(entered)
      this.#levels.push(created)
      return created
    }
    level.enter(entered)
    return level
  }

  #at(depth: number): CursorLevel {
    const level = this.#levels[depth]
    assert(level !== undefined, 'a cursor has a level for each depth it was at')
    return level
  }
}

interface EnteredPage {
  readonly page: NodePage
  /** Rank of its first item, and how many it leads to. */
  readonly begin: number
  readonly items: number
}

/** One page of the way, and where the cursor is in it. */
class CursorLevel {
  page: NodePage
  begin: number
  items: number
  /** The record the cursor is at; in a leaf also behind the last one. */
  slot = 0
  /** Items of the page before that record. */
  before = 0
  /** Sum of the page's records before `#summedTo`. */
  readonly #sum: SumLimbs = createSum()
  #summedTo = 0

  constructor({ page, begin, items }: EnteredPage) {
    this.page = page
    this.begin = begin
    this.items = items
  }

  enter({ page, begin, items }: EnteredPage): void {
    this.page = page
    this.begin = begin
    this.items = items
    this.slot = 0
    this.before = 0
    this.#sum.fill(0)
    this.#summedTo = 0
  }

  /** True when `key` certainly belongs here: at the edges a neighbour may be where it does. */
  isAround(key: Key): boolean {
    const { page } = this
    return page.count > 0 && page.compareAt(0, key) <= 0 && page.compareAt(page.count - 1, key) >= 0
  }

  moveTo(slot: number): void {
    if (this.page.level === 0) this.before = slot
    else {
      for (let index = this.slot; index < slot; index += 1) this.before += this.page.itemsAt(index)
      for (let index = slot; index < this.slot; index += 1) this.before -= this.page.itemsAt(index)
    }
    this.slot = slot
  }

  /** To the record that the page's item number `item` is in. */
  moveToItem(item: number): void {
    const { page } = this
    if (page.level === 0) {
      this.moveTo(item)
      return
    }
    while (item < this.before) {
      this.slot -= 1
      this.before -= page.itemsAt(this.slot)
    }
    for (let items = page.itemsAt(this.slot); item >= this.before + items; items = page.itemsAt(this.slot)) {
      this.before += items
      this.slot += 1
    }
  }

  /** The sum of the records before the cursor's: from the nearest of where it was, the start and the whole. */
  sumBefore({ page: parent, slot: parentSlot }: CursorLevel): SumLimbs {
    const { page, slot } = this
    const sum = this.#sum
    const [fromLast, fromEnd] = [Math.abs(slot - this.#summedTo), page.count - slot + 1]
    if (fromLast > slot || fromLast > fromEnd) {
      sum.fill(0)
      this.#summedTo = 0
      if (fromEnd < slot) {
        parent.addSums(sum, parentSlot, parentSlot + 1)
        this.#summedTo = page.count
      }
    }
    page.addSums(sum, this.#summedTo, slot)
    page.subtractSums(sum, slot, this.#summedTo)
    this.#summedTo = slot
    return sum
  }
}
