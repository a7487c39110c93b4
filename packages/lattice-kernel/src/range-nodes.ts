/**
 * The range index of a log: its nodes in a table, changed with every append and written at checkpoints.
 *
 * @module
 */
import { type Database, toPlainBytes } from '@lattice/storage'
import { type Item, type NodeStore, openRangeIndex, type PersistentRangeIndex } from '@lattice/sync'
import type { LogEntry } from './log-entry.ts'
import type { LogIndex } from './log-index.ts'

export interface RangeNodes extends LogIndex {
  /** What is witnessed, appended records included. */
  readonly index: PersistentRangeIndex
}

export function createRangeNodes(database: Database): RangeNodes {
  const index = openRangeIndex({ store: nodeStoreOf(database) })
  return {
    index,
    advance: (entry) => void index.insert(itemOf(entry)),
    retreat: (entry) => void index.delete(itemOf(entry)),
    checkpoint: index.flush,
    load: index.reload,
  }
}

function itemOf({ parsed }: LogEntry): Item {
  return { timestamp: parsed.intention.timestamp.wall, id: parsed.id }
}

/** The nodes in their table. */
export function nodeStoreOf(database: Database): NodeStore {
  const read = database.prepare<{ readonly bytes: Buffer }>('SELECT bytes FROM range_nodes WHERE node = ?')
  const write = database.prepare('INSERT OR REPLACE INTO range_nodes VALUES (?, ?)')
  const all = database.prepare<{ readonly node: number }>('SELECT node FROM range_nodes ORDER BY node')
  const remove = database.prepare('DELETE FROM range_nodes WHERE node = ?')
  return {
    read: (node) => {
      const row = read.get(node)
      return row && toPlainBytes(row.bytes)
    },
    write: (node, bytes) => void write.run(node, bytes),
    remove: (node) => void remove.run(node),
    nodes: () => all.all().map(({ node }) => node),
  }
}
