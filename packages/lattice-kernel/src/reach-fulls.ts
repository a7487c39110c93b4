/**
 * The full vectors that others build on, decoded and cached.
 *
 * @module
 */
import { entryColumns, FULL, nextRecord, walkBlock } from './reach-block.ts'
import { blockKey, type ReachBlocks } from './reach-blocks.ts'
import { createWeighedCache } from './reach-cache.ts'
import type { FullVector } from './reach-vector.ts'

export interface Fulls {
  /** The full vector that a block begins with. */
  readonly get: (lane: number, block: number) => FullVector
  readonly add: (full: FullVector) => void
  readonly delete: (lane: number, block: number) => void
  readonly clear: () => void
}

/** Entries of cached vectors, of eight bytes each. */
const CACHED_ENTRIES_MAX: number = 2 ** 20
/** What a vector weighs in the cache beside its entries. */
const VECTOR_WEIGHT = 16

export function createFulls(blocks: ReachBlocks): Fulls {
  const cache = createWeighedCache<FullVector>(CACHED_ENTRIES_MAX)

  function add(full: FullVector): void {
    cache.set(blockKey(full.lane, full.block), full, full.lanes.length + VECTOR_WEIGHT)
  }

  return {
    get: (lane, block) => {
      const known = cache.get(blockKey(lane, block))
      if (known !== undefined) return known
      const walk = walkBlock(blocks.get(lane, block), block)
      nextRecord(walk)
      if (walk.kind !== FULL) throw blocks.damaged(lane, block, 'others build on it, and it is not whole')
      const full: FullVector = { lane, block, ...entryColumns(walk) }
      add(full)
      return full
    },
    add,
    delete: (lane, block) => cache.delete(blockKey(lane, block)),
    clear: cache.clear,
  }
}
