/**
 * The blocks of the reachability index: those that changed since the last checkpoint in memory, the others on disk.
 *
 * A block only ever grows at its end, and is written once per checkpoint at most. What changed is bounded by the records
 * between two checkpoints, what is cached by its bytes.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { createWeighedCache } from './reach-cache.ts'
import type { GrowingBytes } from './reach-varint.ts'

/** Where blocks are kept. Writes happen inside the transaction of a checkpoint. */
export interface BlockStore {
  readonly read: (lane: number, block: number) => Uint8Array | undefined
  /** Puts a block in, or in the place of a shorter form of it. */
  readonly write: (lane: number, block: number, bytes: Uint8Array) => void
  /** The error to throw for a block that is not there or not what was written. */
  readonly damaged: (lane: number, block: number, problem: string) => Error
}

export interface ReachBlocks {
  readonly find: (lane: number, block: number) => Readonly<GrowingBytes> | undefined
  /** Throws what the store has for damage when it is not there. */
  readonly get: (lane: number, block: number) => Readonly<GrowingBytes>
  readonly damaged: BlockStore['damaged']
  /** The block to append to, as it is when it exists. */
  readonly open: (lane: number, block: number, begin: () => GrowingBytes) => GrowingBytes
  /** Begins a block in the place of what there is of it. */
  readonly replace: (lane: number, block: number, begun: GrowingBytes) => GrowingBytes
  /** Shortens a block that is open to its first `length` bytes; to none when it is 0. */
  readonly truncate: (lane: number, block: number, length: number) => void
  readonly checkpoint: () => void
  readonly load: () => void
}

/** Blocks of a lane: positions are below 2^32, and a block has 32 of them. */
const BLOCKS_PER_LANE = 2 ** 27
/** Lanes whose blocks have numbers of their own among safe integers: each takes a record, so a log ends before. */
const LANES_MAX = 2 ** 26
/** Bytes of blocks cached: those of some hundred thousand intentions. */
const CACHED_BYTES_MAX: number = 8 * 2 ** 20

interface OpenBlock extends GrowingBytes {
  readonly lane: number
  readonly block: number
}

export function createReachBlocks(store: BlockStore): ReachBlocks {
  let open = new Map<number, OpenBlock>()
  const cache = createWeighedCache<Readonly<GrowingBytes>>(CACHED_BYTES_MAX)

  function find(lane: number, block: number): Readonly<GrowingBytes> | undefined {
    const key = blockKey(lane, block)
    const known = open.get(key) ?? cache.get(key)
    if (known !== undefined) return known
    const bytes = store.read(lane, block)
    if (bytes === undefined) return undefined
    const stored = { bytes, length: bytes.length }
    cache.set(key, stored, bytes.length)
    return stored
  }

  return {
    find,
    get: (lane, block) => {
      const found = find(lane, block)
      if (found === undefined) throw store.damaged(lane, block, 'it is missing')
      return found
    },
    damaged: store.damaged,
    open: (lane, block, begin) => {
      const key = blockKey(lane, block)
      const known = open.get(key)
      if (known !== undefined) return known
      const { bytes, length } = find(lane, block) ?? begin()
      const opened: OpenBlock = { lane, block, bytes: bytes.slice(0, length), length }
      open.set(key, opened)
      cache.delete(key)
      return opened
    },
    replace: (lane, block, { bytes, length }) => {
      const begun: OpenBlock = { lane, block, bytes, length }
      open.set(blockKey(lane, block), begun)
      return begun
    },
    truncate: (lane, block, length) => {
      const key = blockKey(lane, block)
      const opened = open.get(key)
      assert(opened !== undefined && opened.length >= length, 'only what was appended since a checkpoint is taken back')
      if (length === 0) open.delete(key)
      else opened.length = length
    },
    checkpoint: () => {
      const ordered = [...open.values()].sort((a, b) => a.lane - b.lane || a.block - b.block)
      for (const { lane, block, bytes, length } of ordered) {
        const written = bytes.slice(0, length)
        store.write(lane, block, written)
        cache.set(blockKey(lane, block), { bytes: written, length }, length)
      }
      open = new Map()
    },
    load: () => {
      open = new Map()
      cache.clear()
    },
  }
}

/** The number of a block among those of all lanes. */
export function blockKey(lane: number, block: number): number {
  assert(lane < LANES_MAX && block < BLOCKS_PER_LANE, 'every block has a number of its own')
  return lane * BLOCKS_PER_LANE + block
}
