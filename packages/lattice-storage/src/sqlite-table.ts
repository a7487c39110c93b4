/**
 * A byte-ordered table in SQLite, read by point and by page.
 *
 * No cursor stays open between pages, so a reader that stops half-way, or goes on tomorrow, blocks no writer.
 *
 * @module
 */
import type { TableRow } from '@lattice/model'
import type { Database, Statement } from './database.ts'
import { toPlainBytes } from './plain-bytes.ts'

/** Which rows a page holds: those in the range, from its beginning, at most `rows`. */
export interface PageRange {
  readonly gte: Uint8Array | undefined
  readonly lt: Uint8Array | undefined
  readonly reverse: boolean
  readonly rows: number
}

/** A table that is read at one moment, a page at a time. The arrays belong to the caller. */
export interface PageTable {
  readonly get: (key: Uint8Array) => Uint8Array | undefined
  readonly page: (range: PageRange) => TableRow[]
}

/** Names of tables are part of the schema, never input. */
export type TableName = 'system' | 'app'

/** The table called `name`, with columns `key` and `value`. */
export function createSqliteTable(database: Database, name: TableName): PageTable {
  const point = database.prepare<{ readonly value: Buffer }>(`SELECT value FROM ${name} WHERE key = ?`)
  const ascending = {
    open: pageStatement(database, name, 'key >= ? ORDER BY key'),
    closed: pageStatement(database, name, 'key >= ? AND key < ? ORDER BY key'),
  }
  const descending = {
    open: pageStatement(database, name, 'key >= ? ORDER BY key DESC'),
    closed: pageStatement(database, name, 'key >= ? AND key < ? ORDER BY key DESC'),
  }

  return {
    get: (key) => {
      const row = point.get(key)
      return row === undefined ? undefined : toPlainBytes(row.value)
    },
    page: ({ gte = NO_BYTES, lt, reverse, rows }) => {
      const { open, closed } = reverse ? descending : ascending
      const found = lt === undefined ? open.all(gte, rows) : closed.all(gte, lt, rows)
      return found.map(({ key, value }) => ({ key: toPlainBytes(key), value: toPlainBytes(value) }))
    },
  }
}

const NO_BYTES = new Uint8Array(0)

function pageStatement(
  database: Database,
  name: TableName,
  rows: string,
): Statement<{ readonly key: Buffer; readonly value: Buffer }> {
  return database.prepare(`SELECT key, value FROM ${name} WHERE ${rows} LIMIT ?`)
}
