/**
 * A byte-ordered table in SQLite, read by point and by range.
 *
 * Scans read page by page and keep no cursor open, so a reader that stops half-way, or goes on tomorrow, blocks no
 * writer; each page is consistent in itself. Memory is bounded by the page, whose length follows the size of its rows.
 *
 * @module
 */
import { assert, type ReadTable, type TableRange, type TableRow } from '@lattice/model'
import type { Database, Statement } from './database.ts'
import { toPlainBytes } from './plain-bytes.ts'

/** The rows of the first page: many scans want only a few. */
const PAGE_ROWS_FIRST = 16
/** The rows of a page at most. */
const PAGE_ROWS_MAX = 1024
/** The bytes a page aims at. */
const PAGE_BYTES = 256 * 1024

interface Row {
  readonly key: Buffer
  readonly value: Buffer
}

/** Names of tables are part of the schema, never input. */
export type TableName = 'system' | 'app'

/** The table called `name`, with columns `key` and `value`. */
export function createSqliteTable(database: Database, name: TableName): ReadTable {
  const point = database.prepare<{ readonly value: Buffer }>(`SELECT value FROM ${name} WHERE key = ?`)
  const ascending = {
    open: pageStatement(database, name, 'key >= ? ORDER BY key'),
    closed: pageStatement(database, name, 'key >= ? AND key < ? ORDER BY key'),
  }
  const descending = {
    open: pageStatement(database, name, 'key >= ? ORDER BY key DESC'),
    closed: pageStatement(database, name, 'key >= ? AND key < ? ORDER BY key DESC'),
  }

  function* scan({ gte, lt, limit = Infinity, reverse = false }: TableRange): IterableIterator<TableRow> {
    assert(limit >= 0, 'a limit is not negative')
    const statements = reverse ? descending : ascending
    let [from, below, left, pageRows] = [gte ?? NO_BYTES, lt, limit, PAGE_ROWS_FIRST]
    while (left > 0) {
      const rowsMax = Math.min(left, pageRows)
      const page: Row[] =
        below === undefined ? statements.open.all(from, rowsMax) : statements.closed.all(from, below, rowsMax)
      let bytes = 0
      for (const { key, value } of page) {
        bytes += key.length + value.length
        yield { key: toPlainBytes(key), value: toPlainBytes(value) }
      }
      const last = page.at(-1)
      if (last === undefined || page.length < rowsMax) return
      left -= page.length
      if (reverse) below = toPlainBytes(last.key)
      else from = keyAfter(last.key)
      pageRows = nextPageRows(pageRows, bytes / page.length)
    }
  }

  return {
    get: (key) => {
      const row = point.get(key)
      return row === undefined ? undefined : toPlainBytes(row.value)
    },
    scan,
  }
}

const NO_BYTES = new Uint8Array(0)

function pageStatement(database: Database, name: TableName, rows: string): Statement<Row> {
  return database.prepare<Row>(`SELECT key, value FROM ${name} WHERE ${rows} LIMIT ?`)
}

/** The least key above `key`. */
function keyAfter(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

function nextPageRows(rows: number, rowBytes: number): number {
  const fitting = Math.max(1, Math.floor(PAGE_BYTES / Math.max(1, rowBytes)))
  return Math.min(rows * 4, fitting, PAGE_ROWS_MAX)
}
