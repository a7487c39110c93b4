/**
 * The range index of a log: its nodes in a table, changed with every append and written at checkpoints.
 *
 * @module
 */
import { type Database, toPlainBytes } from '@lattice/storage'
import { type Item, type NodeStore, openRangeIndex, type PersistentRangeIndex } from '@lattice/sync'
import type { LogEntry } from './log-entry.ts'
import type { LogIndex } from './log-index.ts'
import type { rangeTableOf } from './prune-schema.ts'

export interface RangeNodes extends LogIndex {
  /** What is witnessed, appended records included. */
  readonly index: PersistentRangeIndex
}

/** `table` is asked whenever nodes are read or written. */
export function createRangeNodes(database: Database, table: () => RangeTable): RangeNodes {
  const stores = { range_nodes: nodeStoreOf(database), range_nodes_odd: nodeStoreOf(database, 'range_nodes_odd') }
  const store = (): TableNodes => stores[table()]
  const index = openRangeIndex({
    store: {
      read: (node) => store().read(node),
      write: (node, bytes) => store().write(node, bytes),
      remove: (node) => store().remove(node),
      nodes: () => store().nodes(),
    },
  })
  return {
    index,
    advance: (entry) => void index.insert(itemOf(entry)),
    retreat: (entry) => void index.delete(itemOf(entry)),
    checkpoint: index.flush,
    load: index.reload,
  }
}

export function itemOf({ parsed }: LogEntry): Item {
  return { timestamp: parsed.intention.timestamp.wall, id: parsed.id }
}

export type TableNodes = Required<NodeStore>
export type RangeTable = ReturnType<typeof rangeTableOf>

/** The nodes in their table. */
export function nodeStoreOf(database: Database, table: RangeTable = 'range_nodes'): TableNodes {
  const read = database.prepare<{ readonly bytes: Buffer }>(`SELECT bytes FROM ${table} WHERE node = ?`)
  const write = database.prepare(`INSERT OR REPLACE INTO ${table} VALUES (?, ?)`)
  const all = database.prepare<{ readonly node: number }>(`SELECT node FROM ${table} ORDER BY node`)
  const remove = database.prepare(`DELETE FROM ${table} WHERE node = ?`)
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
