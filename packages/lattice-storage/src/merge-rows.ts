/**
 * A page of a table with layers of changes on top of it, and scans made of such pages.
 *
 * A page is one moment's state. A scan goes on after the last key that it looked at, whatever happened meanwhile: it is
 * always in order and gives no key twice, and a layer that moves into the table below changes nothing for it.
 *
 * @module
 */
import { assert, type IdKey, type TableRange, type TableRow } from '@lattice/model'
import { keyAfter, keyBytes, keyText } from './key-text.ts'
import type { ReadRowChanges, RowChange } from './row-changes.ts'
import type { PageRange, PageTable } from './sqlite-table.ts'

export interface LayeredPage {
  readonly rows: readonly TableRow[]
  /** The last key looked at; undefined when the range is through. */
  readonly last: Uint8Array | undefined
}

/** What a scan reads from, at the moment of a page. */
export type PageSource = (range: PageRange) => LayeredPage

/** The rows of a first page: many scans want only a few. */
const PAGE_ROWS_FIRST = 64
/** The rows of a page at most. */
const PAGE_ROWS_MAX = 1024
/** The bytes a page aims at. */
const PAGE_BYTES = 256 * 1024

/** Rows in the range, read page by page. */
export function* scanPages(
  readPage: PageSource,
  { gte, lt, limit = Infinity, reverse = false }: TableRange,
): IterableIterator<TableRow> {
  assert(limit >= 0, 'a limit is not negative')
  let [from, below, left] = [gte, lt, limit]
  let pageRows = Math.min(limit, PAGE_ROWS_FIRST)
  while (left > 0) {
    const { rows, last } = readPage({ gte: from, lt: below, reverse, rows: pageRows })
    let bytes = 0
    for (const row of rows) {
      bytes += row.key.length + row.value.length
      yield row
      left -= 1
      if (left === 0) return
    }
    if (last === undefined) return
    if (reverse) below = last
    else from = keyAfter(last)
    pageRows = nextPageRows(pageRows, bytes / Math.max(1, rows.length))
  }
}

/** One page of a table with `layers` on top, the topmost first. */
export function readLayeredPage(
  layers: readonly ReadRowChanges[],
  pageBelow: PageTable['page'],
  range: PageRange,
): LayeredPage {
  const below = pageBelow(range)
  const isBaseWhole = below.length < range.rows
  if (layers.length === 0) return { rows: below, last: isBaseWhole ? undefined : below.at(-1)?.key }
  const { gte, lt, reverse } = range
  const keys = { ...(gte && { gte: keyText(gte) }), ...(lt && { lt: keyText(lt) }), reverse }
  const sources = layers.map((layer) => changesSource(layer, layer.slice(keys, range.rows), range.rows))
  sources.push(baseSource(below, range.rows))
  return mergeSources(sources, range)
}

/** One ordered list of keys, and how far it has been taken. */
interface Source {
  readonly keys: readonly IdKey[]
  /** There may be more keys than these. */
  readonly isCut: boolean
  readonly rowAt: (index: number) => TableRow | undefined
  next: number
}

function changesSource(layer: ReadRowChanges, keys: readonly IdKey[], max: number): Source {
  return {
    keys,
    isCut: keys.length === max,
    rowAt: (index) => {
      const key = keys[index]
      return key === undefined ? undefined : rowOf(key, layer.get(key))
    },
    next: 0,
  }
}

function rowOf(key: IdKey, change: RowChange | undefined): TableRow | undefined {
  assert(change !== undefined, 'the order of a layer holds the keys of its rows')
  return change === null ? undefined : { key: keyBytes(key), value: change.slice() }
}

function baseSource(rows: readonly TableRow[], max: number): Source {
  return { keys: rows.map(({ key }) => keyText(key)), isCut: rows.length === max, rowAt: (at) => rows[at], next: 0 }
}

function mergeSources(sources: readonly Source[], { rows: max, reverse }: PageRange): LayeredPage {
  const rows: TableRow[] = []
  let last: IdKey | undefined
  while (rows.length < max) {
    let first: IdKey | undefined
    for (const { keys, next, isCut } of sources) {
      const key = keys[next]
      // Where a list was cut off, what comes next is not known.
      if (key === undefined && isCut) return { rows, last: last === undefined ? undefined : keyBytes(last) }
      if (key !== undefined && (first === undefined || (reverse ? key > first : key < first))) first = key
    }
    if (first === undefined) return { rows, last: undefined }
    const row = takeKey(sources, first)
    if (row !== undefined) rows.push(row)
    last = first
  }
  return { rows, last: last === undefined ? undefined : keyBytes(last) }
}

/** Takes the key from every source that has it; answers the row of the topmost. */
function takeKey(sources: readonly Source[], first: IdKey): TableRow | undefined {
  let row: TableRow | undefined
  let isFound = false
  for (const source of sources) {
    if (source.keys[source.next] !== first) continue
    if (!isFound) row = source.rowAt(source.next)
    isFound = true
    source.next += 1
  }
  return row
}

function nextPageRows(rows: number, rowBytes: number): number {
  const fitting = Math.max(1, Math.floor(PAGE_BYTES / Math.max(1, rowBytes)))
  return Math.min(rows * 4, fitting, PAGE_ROWS_MAX)
}
