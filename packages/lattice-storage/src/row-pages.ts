/**
 * The rows of a state in pages, in order of table and key: how a snapshot travels.
 *
 * Pages are bounded by bytes and by rows, so whoever reads or takes in one knows what it costs. A row is never divided: one
 * that is larger than a page comes alone.
 *
 * @module
 */
import { assert, compareBytes, err, MAX_KEY_BYTES, ok, type Result } from '@lattice/model'
import { keyAfter } from './key-text.ts'
import type { PageTable, TableName } from './sqlite-table.ts'

/** Where a row stands among all rows. */
export interface RowPosition {
  readonly table: TableName
  readonly key: Uint8Array
}

export interface StateRow extends RowPosition {
  readonly value: Uint8Array
}

export interface RowPage {
  readonly rows: readonly StateRow[]
  /** There were no more rows. */
  readonly isLast: boolean
}

/** Why a page is not taken in; nothing of it is. `row` is the place of the first bad one. */
export type PageFault =
  | { readonly code: 'page_empty' }
  | { readonly code: 'page_too_long'; readonly rows: number }
  /** The row is not after the one before it, or after the last that is here: reordered, or there twice. */
  | { readonly code: 'row_out_of_order'; readonly row: number }
  | { readonly code: 'key_too_long' | 'value_too_long'; readonly row: number; readonly bytes: number }

/** Rows of a page at most: hashing and storing one takes some ten microseconds, and a page is one turn of the event loop. */
export const PAGE_ROWS_MAX = 512
/**
 * Longest value of a row that is taken in: a key to which some five hundred authors wrote the largest value at once. It is
 * held in memory while its page is.
 */
export const MAX_ROW_VALUE_BYTES: number = 64 * 1024 * 1024
/** Rows of a first query: they may be large. */
const QUERY_ROWS_FIRST = 8

const TABLES: readonly TableName[] = ['system', 'app']

/** A page of what comes after a position: at least one row, if there is any, and then as many as fit. */
export function readRows(
  tables: Readonly<Record<TableName, PageTable>>,
  after: RowPosition | undefined,
  maxBytes: number,
): RowPage {
  const rows: StateRow[] = []
  let bytes = 0
  for (const table of TABLES.slice(after === undefined ? 0 : TABLES.indexOf(after.table))) {
    let gte = after?.table === table ? keyAfter(after.key) : undefined
    for (let isThrough = false; !isThrough;) {
      const wanted = queryRows(rows.length, bytes, maxBytes)
      const found = tables[table].page({ gte, lt: undefined, reverse: false, rows: wanted })
      for (const { key, value } of found) {
        const size = key.length + value.length
        if (rows.length > 0 && (rows.length >= PAGE_ROWS_MAX || bytes + size > maxBytes)) return { rows, isLast: false }
        rows.push({ table, key, value })
        bytes += size
        gte = keyAfter(key)
      }
      isThrough = found.length < wanted
    }
  }
  return { rows, isLast: true }
}

/** Whether a page may come after a position. */
export function checkPage(rows: readonly StateRow[], after: RowPosition | undefined): Result<RowPosition, PageFault> {
  if (rows.length > PAGE_ROWS_MAX) return err({ code: 'page_too_long', rows: rows.length })
  let last = after
  for (const [index, row] of rows.entries()) {
    if (row.key.length > MAX_KEY_BYTES) return err({ code: 'key_too_long', row: index, bytes: row.key.length })
    if (row.value.length > MAX_ROW_VALUE_BYTES) {
      return err({ code: 'value_too_long', row: index, bytes: row.value.length })
    }
    if (last !== undefined && comparePositions(row, last) <= 0) return err({ code: 'row_out_of_order', row: index })
    last = row
  }
  if (rows.length === 0 || last === undefined) return err({ code: 'page_empty' })
  return ok({ table: last.table, key: last.key })
}

/** Below zero where `a` comes first. */
export function comparePositions(a: RowPosition, b: RowPosition): number {
  return a.table === b.table ? compareBytes(a.key, b.key) : TABLES.indexOf(a.table) - TABLES.indexOf(b.table)
}

/** As many rows as are likely to fit, and one more to see that there is one. */
function queryRows(rows: number, bytes: number, maxBytes: number): number {
  assert(maxBytes > 0, 'a page has room')
  if (rows === 0) return QUERY_ROWS_FIRST
  const fitting = Math.floor((maxBytes - bytes) / Math.max(1, bytes / rows))
  return 1 + Math.max(1, Math.min(fitting, rows * 4, PAGE_ROWS_MAX - rows))
}
