/**
 * Sets and deletes rows of one table inside a transaction, and has the sum of all rows follow, where there is one.
 *
 * @module
 */
import type { Database } from './database.ts'
import type { RowChange } from './row-changes.ts'
import type { TableName } from './sqlite-table.ts'
import type { StateSum } from './state-root.ts'

export type RowWriter = (key: Uint8Array, change: RowChange) => void

/** A writer of the table; with a `sum` it also reads what each row was. */
export function createRowWriter(database: Database, table: TableName, sum?: StateSum): RowWriter {
  const upsert = `INSERT INTO ${table} VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`
  const set = database.prepare(upsert)
  const remove = database.prepare(`DELETE FROM ${table} WHERE key = ?`)
  function write(key: Uint8Array, change: RowChange): void {
    if (change === null) remove.run(key)
    else set.run(key, change)
  }
  if (sum === undefined) return write

  const point = database.prepare<{ readonly value: Buffer }>(`SELECT value FROM ${table} WHERE key = ?`)
  return (key, change) => {
    sum.change(table, key, { before: point.get(key)?.value, after: change ?? undefined })
    write(key, change)
  }
}
