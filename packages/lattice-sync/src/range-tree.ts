/**
 * A B+tree of items with counts and sums, over a cache of pages: its pages, and the way down that changes take.
 *
 * Nothing is as large as the set: a descent holds a page per level. Ranks and sums are read by a `RangeCursor`.
 *
 * @module
 */
import { assert } from '@lattice/model'
import type { Item } from './item.ts'
import { createTop, decodeHead, encodeHead, type TreeHead } from './node-codec.ts'
import { NodeCache } from './node-cache.ts'
import { type Key, recordsMaxOf } from './node-layout.ts'
import { NodePage } from './node-page.ts'
import { HEAD_NODE, type NodeStore, RangeIndexDamaged } from './node-store.ts'

export interface RangeTreeOptions {
  readonly store: NodeStore
  readonly cleanMax: number
  /** For a tree that does not exist yet; others keep theirs. */
  readonly nodeBytesMax: number
}

/** A way from the top to a leaf: a page per level and the record taken in each. */
export interface TreePath {
  readonly pages: NodePage[]
  readonly slots: number[]
}

const FIRST_NODE: number = HEAD_NODE + 1

export class RangeTree {
  readonly nodes: NodeCache
  readonly #options: RangeTreeOptions
  #head: TreeHead

  constructor(options: RangeTreeOptions) {
    this.#options = options
    this.nodes = new NodeCache(options)
    this.#head = this.#load()
  }

  /** The page above the root, of one record. */
  get top(): NodePage {
    return this.#head.top
  }

  get nodeBytesMax(): number {
    return this.#head.nodeBytesMax
  }

  get nextNode(): number {
    return this.#head.nextNode
  }

  size(): number {
    return this.top.itemsAt(0)
  }

  recordsMax(level: number): number {
    return recordsMaxOf(this.nodeBytesMax, level)
  }

  child(parent: NodePage, slot: number): NodePage {
    return this.nodes.child(parent, slot, this.nodeBytesMax)
  }

  /** A new, empty page. */
  create(level: number): NodePage {
    const { nodeBytesMax, nextNode, top } = this.#head
    this.#head = { nodeBytesMax, nextNode: nextNode + 1, top }
    return this.nodes.add(new NodePage({ node: nextNode, level, count: 0, recordsMax: this.recordsMax(level) }))
  }

  setRoot(root: NodePage): void {
    const top = createTop(root.level + 1)
    top.insertChild(0, root)
    this.#head = { ...this.#head, top }
  }

  flush(): void {
    this.nodes.flush()
    this.#options.store.write(HEAD_NODE, encodeHead(this.#head))
  }

  reload(): void {
    this.nodes.forget()
    this.#head = this.#load()
  }

  /** The way to where `key` is or belongs. */
  seek(key: Key): TreePath {
    const pages = [this.top]
    const slots = [0]
    let page = this.child(this.top, 0)
    while (page.level > 0) {
      const slot = page.childFor(key)
      pages.push(page)
      slots.push(slot)
      page = this.child(page, slot)
    }
    pages.push(page)
    slots.push(page.lowerBound(key))
    return { pages, slots }
  }

  /** The items from the end of a way on, without end: the caller counts. The way moves along. */
  *itemsFrom({ pages, slots }: TreePath): IterableIterator<Item> {
    for (;;) {
      const leaf = pages.at(-1)
      assert(leaf !== undefined, 'a way ends at a leaf')
      for (let index = slots.at(-1) ?? 0; index < leaf.count; index += 1) yield leaf.itemAt(index)
      if (!this.#toNextLeaf({ pages, slots })) return
    }
  }

  #toNextLeaf({ pages, slots }: TreePath): boolean {
    let depth = pages.length - 2
    while (depth >= 0 && (slots[depth] ?? 0) + 1 >= (pages[depth]?.count ?? 0)) depth -= 1
    let parent = pages[depth]
    if (parent === undefined) return false
    slots[depth] = (slots[depth] ?? 0) + 1
    for (let below = depth + 1; below < pages.length; below += 1) {
      parent = this.child(parent, slots[below - 1] ?? 0)
      pages[below] = parent
      slots[below] = 0
    }
    return true
  }

  #load(): TreeHead {
    const bytes = this.#options.store.read(HEAD_NODE)
    if (bytes === undefined) return this.#empty()
    const head = decodeHead(bytes)
    if (!head.ok) throw new RangeIndexDamaged(HEAD_NODE, head.error)
    return head.value
  }

  #empty(): TreeHead {
    const { nodeBytesMax } = this.#options
    const recordsMax = recordsMaxOf(nodeBytesMax, 0)
    const root = this.nodes.add(new NodePage({ node: FIRST_NODE, level: 0, count: 0, recordsMax }))
    const top = createTop(1)
    top.insertChild(0, root)
    return { nodeBytesMax, nextNode: FIRST_NODE + 1, top }
  }
}
