/**
 * Pages of the table below that are read again and again: who the peers of a store are, most of all.
 *
 * The table below changes by what is written to it alone, of which the cache is told, so a page is the same until then.
 * It keeps a page when it is asked for the second time: a walk through a large table leaves nothing behind.
 *
 * @module
 */
import type { TableRow } from '@lattice/model'
import { keyText } from './key-text.ts'
import type { PageRange, PageTable } from './sqlite-table.ts'

export interface PageCache {
  /** As of the table below. The rows belong to the caller. */
  readonly page: PageTable['page']
  /** Something was written to the table below. */
  readonly clear: () => void
}

/** Pages that are kept, and their size at most: half a MiB per table of an open store. */
const PAGES_MAX = 32
const PAGE_BYTES_MAX: number = 16 * 1024
/** Ranges that are known to have been asked for once. */
const RANGES_MAX = 256

export function createPageCache(base: PageTable): PageCache {
  const pages = new Map<string, readonly TableRow[]>()
  const askedOnce = new Set<string>()

  return {
    page: (range) => {
      const name = nameOf(range)
      const known = pages.get(name)
      if (known !== undefined) return copyOf(known)
      const rows = base.page(range)
      if (!askedOnce.has(name)) {
        if (askedOnce.size >= RANGES_MAX) askedOnce.clear()
        askedOnce.add(name)
      } else if (bytesOf(rows) <= PAGE_BYTES_MAX) {
        if (pages.size >= PAGES_MAX) pages.clear()
        pages.set(name, copyOf(rows))
      }
      return rows
    },
    clear: () => pages.clear(),
  }
}

function nameOf({ gte, lt, reverse, rows }: PageRange): string {
  const [from, to] = [gte === undefined ? '' : keyText(gte), lt === undefined ? 'end' : `<${keyText(lt)}`]
  // The length tells where one key ends and the other begins.
  return `${rows} ${reverse ? 'down' : 'up'} ${from.length} ${from}${to}`
}

function copyOf(rows: readonly TableRow[]): TableRow[] {
  return rows.map(({ key, value }) => ({ key: key.slice(), value: value.slice() }))
}

function bytesOf(rows: readonly TableRow[]): number {
  return rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
}
