/**
 * Pages between the tree and its store: clean ones as many as allowed, changed ones until they are flushed.
 *
 * A page that changes moves from the clean to the dirty ones at once and stays the only copy of its node. What a crash
 * or a rollback takes away is what was never flushed: `forget` goes back to the store.
 *
 * @module
 */
import { assert, err, ok, type Result } from '@lattice/model'
import { decodePage, encodePage, problemWith } from './node-codec.ts'
import type { NodePage } from './node-page.ts'
import { type NodeProblem, type NodeStore, RangeIndexDamaged } from './node-store.ts'

export interface NodeCacheOptions {
  readonly store: NodeStore
  /** Clean pages kept. */
  readonly cleanMax: number
}

export class NodeCache {
  readonly #store: NodeStore
  readonly #cleanMax: number
  readonly #clean = new Map<number, NodePage>()
  readonly #dirty = new Map<number, NodePage>()
  readonly #removed = new Set<number>()
  #reads = 0
  #writes = 0

  constructor({ store, cleanMax }: NodeCacheOptions) {
    assert(Number.isSafeInteger(cleanMax) && cleanMax >= 1, 'a cache keeps at least one page')
    this.#store = store
    this.#cleanMax = cleanMax
  }

  get counts(): { readonly clean: number; readonly dirty: number; readonly reads: number; readonly writes: number } {
    return { clean: this.#clean.size, dirty: this.#dirty.size, reads: this.#reads, writes: this.#writes }
  }

  /** The child of a record. Throws {@link RangeIndexDamaged} when the store does not hold what the record says. */
  child(parent: NodePage, slot: number, nodeBytesMax: number): NodePage {
    const node = parent.childAt(slot)
    const cached = this.#dirty.get(node) ?? this.#clean.get(node)
    if (cached !== undefined) {
      // It was checked against the record that led to it first; a second one may lie, but not into a circle.
      if (cached.level !== parent.level - 1) throw new RangeIndexDamaged(node, 'level')
      cached.isReferenced = true
      return cached
    }
    const page = this.#read(node, nodeBytesMax)
    const problem = page.ok ? problemWith(page.value, parent, slot) : page.error
    if (!page.ok || problem !== undefined) throw new RangeIndexDamaged(node, problem ?? 'malformed')
    this.#keep(page.value)
    return page.value
  }

  /** A page as it is: changed ones from memory, others from the store again, past what is cached. */
  current(node: number, nodeBytesMax: number): Result<NodePage, NodeProblem> {
    const dirty = this.#dirty.get(node)
    return dirty === undefined ? this.#read(node, nodeBytesMax) : ok(dirty)
  }

  /** True for a node that the next flush removes. */
  isRemoved(node: number): boolean {
    return this.#removed.has(node)
  }

  /** Takes a new page in. */
  add(page: NodePage): NodePage {
    assert(!this.#dirty.has(page.node), 'a node has one page')
    this.#dirty.set(page.node, page)
    return page
  }

  /** Before a page is written to. */
  touch(page: NodePage): void {
    if (this.#dirty.get(page.node) === page) return
    assert(!this.#dirty.has(page.node), 'a node has one page')
    this.#clean.delete(page.node)
    page.own()
    this.#dirty.set(page.node, page)
  }

  /** Takes a page out of the tree. */
  drop(page: NodePage): void {
    this.#clean.delete(page.node)
    this.#dirty.delete(page.node)
    this.#removed.add(page.node)
  }

  /** Writes what changed. */
  flush(): void {
    for (const node of this.#removed) this.#store.remove(node)
    for (const page of this.#dirty.values()) this.#store.write(page.node, encodePage(page))
    this.#writes += this.#dirty.size
    this.#removed.clear()
    const flushed = [...this.#dirty.values()]
    this.#dirty.clear()
    for (const page of flushed) this.#keep(page)
  }

  /** Forgets every page. */
  forget(): void {
    this.#clean.clear()
    this.#dirty.clear()
    this.#removed.clear()
  }

  #read(node: number, nodeBytesMax: number): Result<NodePage, NodeProblem> {
    this.#reads += 1
    const bytes = this.#store.read(node)
    return bytes === undefined ? err('missing') : decodePage(node, bytes, nodeBytesMax)
  }

  /** Keeps a clean page; evicts the first one, in turn, that nobody asked for since its last turn. */
  #keep(page: NodePage): void {
    page.isReferenced = false
    this.#clean.set(page.node, page)
    if (this.#clean.size <= this.#cleanMax) return
    for (const [node, candidate] of this.#clean) {
      this.#clean.delete(node)
      if (!candidate.isReferenced) return
      candidate.isReferenced = false
      this.#clean.set(node, candidate)
    }
  }
}
