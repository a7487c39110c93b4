/**
 * Writes that are not in the database yet, over a table that is, in layers:
 *
 *     base, on disk  <  frozen, being written to disk  <  rows, visible  <  what is not published
 *
 * Operations change the topmost layer. A mark remembers a place to go back to: an operation that is rejected, or whose
 * machine throws, is undone without a trace; and everything since the last `publish` can be taken back, for as long as
 * it is not durable elsewhere. Readers of `visible` see nothing of it. Freezing hands the published rows to whoever
 * writes them to disk; they shadow the table below until that is done, so nobody sees a difference, whether it succeeds
 * or not.
 *
 * @module
 */
import {
  assert,
  createByteSlab,
  type IdKey,
  type ReadTable,
  type TableRange,
  type TableRow,
  type WriteTable,
} from '@lattice/model'
import { keyBytes, keyText } from './key-text.ts'
import { type LayeredPage, type PageSource, readLayeredPage, scanPages } from './merge-rows.ts'
import { createRowChanges, type ReadRowChanges, type RowChange, type RowChanges } from './row-changes.ts'
import { createRowCache } from './row-cache.ts'
import type { PageRange, PageTable } from './sqlite-table.ts'

/** A table that is read by point and by page: scans are made of pages, see `scanPages`. */
export interface VisibleTable extends ReadTable {
  readonly peek: (key: Uint8Array) => Uint8Array | undefined
  readonly page: PageSource
}

export interface OverlayTable {
  /** With everything in it: what operations read and change. */
  readonly working: WriteTable
  /** What is published. */
  readonly visible: VisibleTable
  /** From here on, changes can be rolled back. Drops the mark before. */
  readonly mark: () => void
  /** Undoes every change since the mark. */
  readonly rollback: () => void
  /** What was changed is visible, and stays. */
  readonly publish: () => void
  /** Undoes every change since the last `publish`, marks too. */
  readonly discard: () => void
  /** How many rows are changed and not published. */
  readonly unpublished: () => number
  /** Starts a new layer over the published rows; answers those. One is frozen at a time, and nothing is unpublished. */
  readonly freeze: () => ReadRowChanges
  /** The frozen rows are in the table below. */
  readonly thaw: () => void
  /** What is published now; nothing is unpublished. */
  readonly snapshot: () => TableSnapshot
  /** Changed rows and their bytes, not counting frozen ones. */
  readonly size: () => number
  readonly bytes: () => number
}

/** A table as it was, however it changes: for those who read all of it over many turns. */
export interface TableSnapshot {
  readonly scan: (range: TableRange) => IterableIterator<TableRow>
  /** Bytes of rows that have changed since, which it keeps. */
  readonly bytes: () => number
  readonly release: () => void
}

interface Undo {
  readonly key: IdKey
  readonly change: RowChange | undefined
  /** The first change of the row since the last `publish`. */
  readonly isFirst: boolean
}

/** An empty overlay over `base`, whose rows change by what was frozen alone. */
export function createOverlayTable(base: PageTable): OverlayTable {
  let rows = createRowChanges()
  let frozen: ReadRowChanges | undefined
  let undo: Undo[] = []
  /** What changed rows were when the last `publish` ended, in the order in which they first changed. */
  const before = new Map<IdKey, RowChange | undefined>()
  const cache = createRowCache(base)
  // Rows of one layer go together, so they may share buffers.
  const copy = createByteSlab()

  /** What open snapshots keep of rows that have changed since. */
  const snapshots = new Set<RowChanges>()

  function put(bytes: Uint8Array, change: RowChange): void {
    const key = keyText(bytes)
    const was = rows.get(key)
    for (const kept of snapshots) {
      if (kept.get(key) === undefined) kept.put(key, below(key, bytes, was) ?? null)
    }
    const isFirst = !before.has(key)
    undo.push({ key, change: was, isFirst })
    if (isFirst) before.set(key, was)
    rows.put(key, change)
  }

  function restore(key: IdKey, change: RowChange | undefined): void {
    if (change === undefined) rows.forget(key)
    else rows.put(key, change)
  }

  /** The row as stored, not to be changed; `top` is what the topmost layer has of it. */
  function below(key: IdKey, bytes: Uint8Array, top: RowChange | undefined): Uint8Array | undefined {
    const change = top === undefined ? frozen?.get(key) : top
    return change === undefined ? cache.get(key, bytes) : (change ?? undefined)
  }

  function peekWorking(bytes: Uint8Array): Uint8Array | undefined {
    const key = keyText(bytes)
    return below(key, bytes, rows.get(key))
  }

  function peekVisible(bytes: Uint8Array): Uint8Array | undefined {
    const key = keyText(bytes)
    return below(key, bytes, before.size > 0 && before.has(key) ? before.get(key) : rows.get(key))
  }

  /** Undoes what is not published. */
  function unpublishedLayer(): readonly ReadRowChanges[] {
    if (before.size === 0) return []
    const undone = createRowChanges()
    for (const [key, change] of before) undone.put(key, below(key, keyBytes(key), change) ?? null)
    return [undone]
  }

  function readPage(range: PageRange, top: readonly ReadRowChanges[]): LayeredPage {
    const layers = frozen === undefined ? [...top, rows] : [...top, rows, frozen]
    return readLayeredPage(
      layers.filter((layer) => layer.size() > 0),
      base,
      range,
    )
  }

  const pageOfVisible: PageSource = (range) => readPage(range, unpublishedLayer())

  return {
    working: {
      get: (key) => peekWorking(key)?.slice(),
      peek: peekWorking,
      scan: (range) => scanPages((page) => readPage(page, []), range),
      set: (key, value) => put(key, copy(value)),
      delete: (key) => put(key, null),
    },
    visible: {
      get: (key) => peekVisible(key)?.slice(),
      peek: peekVisible,
      page: pageOfVisible,
      scan: (range) => scanPages(pageOfVisible, range),
    },
    mark: () => {
      undo = []
    },
    rollback: () => {
      for (const { key, change, isFirst } of undo.reverse()) {
        restore(key, change)
        if (isFirst) before.delete(key)
      }
      undo = []
    },
    publish: () => {
      before.clear()
      undo = []
    },
    discard: () => {
      for (const [key, change] of [...before].reverse()) restore(key, change)
      before.clear()
      undo = []
    },
    unpublished: () => before.size,
    freeze: () => {
      assert(frozen === undefined, 'one layer is frozen at a time')
      assert(before.size === 0, 'what is frozen is published')
      frozen = rows
      rows = createRowChanges()
      undo = []
      return frozen
    },
    thaw: () => {
      assert(frozen !== undefined, 'there is a frozen layer')
      cache.drop(frozen)
      frozen = undefined
    },
    snapshot: () => {
      assert(before.size === 0, 'what a snapshot shows is published')
      const kept = createRowChanges()
      snapshots.add(kept)
      return {
        scan: (range) => scanPages((page) => readPage(page, [kept]), range),
        bytes: kept.bytes,
        release: () => void snapshots.delete(kept),
      }
    },
    size: () => rows.size(),
    bytes: () => rows.bytes(),
  }
}
