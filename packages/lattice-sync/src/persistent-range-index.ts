/**
 * A range index that is as large as its store, in memory that is not: a B+tree over numbered nodes.
 *
 * Changes stay in memory until `flush` writes them, together with whatever else the caller's transaction holds. When
 * that fails or is rolled back, `reload` goes back to what the store holds, and the caller makes the changes again.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { compactFrom } from './compact-tree.ts'
import { assertItem, compareItems, type Item } from './item.ts'
import {
  createKey,
  type Key,
  NODE_BYTES_LIMIT,
  NODE_BYTES_MAX,
  NODE_BYTES_MIN,
  writeBoundKey,
  writeItemKey,
} from './node-layout.ts'
import type { NodeStore } from './node-store.ts'
import type { RangeIndex } from './range-index.ts'
import { RangeCursor } from './range-cursor.ts'
import { RangeTree } from './range-tree.ts'
import { sumToBytes } from './sum-limbs.ts'
import { deleteFrom, insertInto } from './tree-change.ts'
import { type VerifiedNode, verifyTree } from './verify-tree.ts'

/** Unchanged nodes kept in memory by default: 4 MiB. */
export const CACHED_NODES = 1024

export interface RangeIndexOptions {
  readonly store: NodeStore
  /** Unchanged nodes kept in memory, each of at most `nodeBytesMax`; {@link CACHED_NODES} by default. */
  readonly cacheNodesMax?: number
  /** Longest node of an index that does not exist yet; by default what fits a page of SQLite. Others keep theirs. */
  readonly nodeBytesMax?: number
}

export interface RangeIndexStats {
  /** Levels, from the root to the leaves. */
  readonly levels: number
  readonly cachedNodes: number
  /** Nodes that the next flush writes. */
  readonly changedNodes: number
  /** Nodes read from and written to the store since the index was opened. */
  readonly reads: number
  readonly writes: number
}

/**
 * A {@link RangeIndex} in a {@link NodeStore}. Timestamps have 48 bits. Every call that reads may throw
 * `RangeIndexDamaged`. When a change or a flush threw, only `reload` is left to be called.
 */
export interface PersistentRangeIndex extends RangeIndex {
  /** False when the very item is there already. */
  readonly insert: (item: Item) => boolean
  /** Inserts many in any order; answers how many were new. */
  readonly insertAll: (items: Iterable<Item>) => number
  /** False when there is no such item. */
  readonly delete: (item: Item) => boolean
  /** Writes what changed to the store, within the caller's transaction. What changed is in memory until then. */
  readonly flush: () => void
  /** Forgets everything in memory, changes too: the index is what the store holds, which may have been replaced. */
  readonly reload: () => void
  /** Looks at every node of the tree and of the store. The index may change between two steps. */
  readonly verify: () => IterableIterator<VerifiedNode>
  /**
   * Packs a stretch of leaves (about fifty nodes change) from where the last call ended; true when that was the last
   * one. For times with nothing else to do, after many deletes, with a flush now and then.
   */
  readonly compact: () => boolean
  readonly stats: () => RangeIndexStats
}

/** Opens the index in `store`, an empty one where there is none. Reads one node. Throws `RangeIndexDamaged`. */
export function openRangeIndex(options: RangeIndexOptions): PersistentRangeIndex {
  const { store, cacheNodesMax = CACHED_NODES, nodeBytesMax = NODE_BYTES_MAX } = options
  assert(nodeBytesMax >= NODE_BYTES_MIN && nodeBytesMax <= NODE_BYTES_LIMIT, 'a node holds four children or more')
  const tree = new RangeTree({ store, cleanMax: cacheNodesMax, nodeBytesMax })
  const guard = new Guard()
  const key = createKey()
  let compactedTo: Key | undefined

  function insert(item: Item): boolean {
    assertItem(item)
    writeItemKey(key, item)
    return guard.change(() => insertInto(tree, key))
  }

  return {
    ...readingOf(tree, guard),
    insert,
    insertAll: (batch) => [...batch].sort(compareItems).filter(insert).length,
    delete: (item) => {
      assertItem(item)
      writeItemKey(key, item)
      return guard.change(() => deleteFrom(tree, key))
    },
    flush: () => guard.attempt(() => tree.flush()),
    reload: () => guard.renew(() => tree.reload()),
    verify: () => verifyTree(tree, store),
    compact: () => {
      compactedTo = guard.change(() => compactFrom(tree, compactedTo))
      return compactedTo === undefined
    },
    stats: () => {
      const { clean, dirty, reads, writes } = tree.nodes.counts
      return { levels: tree.top.level, cachedNodes: clean, changedNodes: dirty, reads, writes }
    },
  }
}

/** Whether the pages in memory can be believed, and how often they changed. What fails half-way leaves them in doubt. */
class Guard {
  #isUsable = true
  #version = 0

  get version(): number {
    return this.#version
  }

  assertUsable(): void {
    assert(this.#isUsable, 'an index that failed to change is reloaded')
  }

  change<T>(work: () => T): T {
    this.#version += 1
    return this.attempt(work)
  }

  attempt<T>(work: () => T): T {
    this.assertUsable()
    this.#isUsable = false
    const result = work()
    this.#isUsable = true
    return result
  }

  renew(work: () => void): void {
    this.#isUsable = true
    this.change(work)
  }
}

function readingOf(tree: RangeTree, guard: Guard): RangeIndex {
  const key = createKey()
  const cursor = new RangeCursor(tree, () => guard.version)

  function size(): number {
    guard.assertUsable()
    return tree.size()
  }

  function assertRange(begin: number, end: number): void {
    assert(begin >= 0 && begin <= end && end <= size(), 'ranges lie within the index')
  }

  function* items(begin: number, end: number): IterableIterator<Item> {
    const startedAt = guard.version
    let left = end - begin
    if (left === 0) return
    for (const item of tree.itemsFrom(cursor.pathTo(begin))) {
      yield item
      assert(guard.version === startedAt, 'an index does not change under an iteration')
      left -= 1
      if (left === 0) return
    }
  }

  return {
    size,
    lowerBound: (bound) => {
      const all = size()
      return writeBoundKey(key, bound) ? cursor.rankOf(key) : all
    },
    at: (rank) => {
      assert(rank >= 0 && rank < size(), 'a rank lies within the index')
      return cursor.itemAt(rank)
    },
    accumulate: (begin, end) => {
      assertRange(begin, end)
      return { sum: sumToBytes(cursor.sumBetween(begin, end)), count: end - begin }
    },
    items: (begin, end) => {
      assertRange(begin, end)
      return items(begin, end)
    },
  }
}
