/**
 * The reachability index of a log: follows its records, and is kept in its database.
 *
 * @module
 */
import { assert, causesOf } from '@lattice/model'
import { type Database, LogDamaged, toPlainBytes } from '@lattice/storage'
import type { FindMeta } from './lane-book.ts'
import type { LogEntry } from './log-entry.ts'
import type { LogIndex } from './log-index.ts'
import { blockKey, type BlockStore } from './reach-blocks.ts'
import type { PrunedBase } from './log-base.ts'
import { createReachIndex, type ReachIndex, type ReachNode } from './reach-index.ts'
import type { Place } from './reach-vector.ts'

/** The index with the log's records for its nodes. */
export interface LogReach extends LogIndex, Omit<ReachIndex, keyof LogIndex> {}

export function createLogReach(database: Database, find: FindMeta, base?: PrunedBase): LogReach {
  const index = createReachIndex(createSqliteBlocks(database), base)
  const baseCauses = (): readonly Place[] =>
    base?.lanes().map(({ lane, last }) => ({ lane, position: last, seq: base.seqAt(lane, last) })) ?? []
  return {
    ...index,
    advance: (entry) => {
      const node = reachNodeOf(entry, find)
      // All that lies below the base is in its past; of what it cites less is known.
      const isBase = base?.epoch() !== undefined && entry.meta.seq === base.fromSeq()
      index.advance(isBase ? { ...node, causes: [...node.causes, ...baseCauses()] } : node)
    },
    retreat: ({ meta }) => index.retreat(meta),
  }
}

export function reachNodeOf({ meta, parsed }: LogEntry, find: FindMeta): ReachNode {
  const { lane, position, seq } = meta
  const causes = causesOf(parsed.intention).map((id) => {
    const cause = find(id)
    assert(cause !== undefined, 'every cause is witnessed')
    return cause
  })
  return { lane, position, seq, causes }
}

/** Blocks in the table `reach_blocks`, by the number that each has among those of all lanes. */
export function createSqliteBlocks(database: Database): BlockStore {
  const read = database.prepare<{ readonly bytes: Buffer }>('SELECT bytes FROM reach_blocks WHERE block = ?')
  const write = database.prepare('INSERT OR REPLACE INTO reach_blocks VALUES (?, ?)')
  return {
    read: (lane, block) => {
      const row = read.get(blockKey(lane, block))
      return row && toPlainBytes(row.bytes)
    },
    write: (lane, block, bytes) => void write.run(blockKey(lane, block), bytes),
    damaged: (lane, block, problem) =>
      new LogDamaged(database.path, { record: `reach block ${block} of lane ${lane}`, problem }),
  }
}
