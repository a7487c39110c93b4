/**
 * A range index in a table of SQLite, flushed as a kernel flushes it: some thousand inserts to a transaction.
 *
 * @module
 */
import { join } from 'node:path'
import { type Item, openRangeIndex, type PersistentRangeIndex } from '@lattice/sync'
import { openBare } from './bare-store.ts'

/** Inserts of one transaction: what a kernel gathers between two checkpoints. */
const CHECKPOINT_ITEMS = 2000

export interface StoredIndex extends Disposable {
  readonly index: PersistentRangeIndex
  /** Inserts in order, flushing as it goes. What is left over is flushed too. */
  readonly insertAll: (items: Iterable<Item>) => void
}

export function openStoredIndex(directory: string): StoredIndex {
  const database = openBare(join(directory, 'range.db'), 'NORMAL')
  database.exec('CREATE TABLE IF NOT EXISTS range_nodes (node INTEGER PRIMARY KEY, bytes BLOB NOT NULL)')
  const read = database.prepare<[number], Buffer>('SELECT bytes FROM range_nodes WHERE node = ?').pluck()
  const write = database.prepare('INSERT OR REPLACE INTO range_nodes VALUES (?, ?)')
  const remove = database.prepare('DELETE FROM range_nodes WHERE node = ?')
  const index = openRangeIndex({
    store: {
      read: (node) => read.get(node),
      write: (node, bytes) => {
        write.run(node, bytes)
      },
      remove: (node) => {
        remove.run(node)
      },
    },
  })
  const flush = database.transaction(() => index.flush())

  function insertAll(items: Iterable<Item>): void {
    let gathered = 0
    for (const item of items) {
      index.insert(item)
      gathered += 1
      if (gathered % CHECKPOINT_ITEMS === 0) flush()
    }
    flush()
  }

  return { index, insertAll, [Symbol.dispose]: () => void database.close() }
}
