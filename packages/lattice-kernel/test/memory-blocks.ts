/**
 * Blocks of the reachability index in memory, as a transaction would leave them.
 *
 * @module
 */
import type { BlockStore } from '../src/reach-blocks.ts'

export interface MemoryBlocks extends BlockStore {
  readonly contents: ReadonlyMap<string, Uint8Array>
  readonly remove: (lane: number, block: number) => void
}

export function createMemoryBlocks(): MemoryBlocks {
  const contents = new Map<string, Uint8Array>()
  return {
    contents,
    read: (lane, block) => contents.get(`${lane}/${block}`)?.slice(),
    write: (lane, block, bytes) => void contents.set(`${lane}/${block}`, bytes.slice()),
    damaged: (lane, block, problem) => new Error(`block ${block} of lane ${lane}: ${problem}`),
    remove: (lane, block) => void contents.delete(`${lane}/${block}`),
  }
}
