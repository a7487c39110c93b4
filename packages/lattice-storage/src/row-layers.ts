/**
 * The layers of an overlay: rows that change, frozen rows under them, the table at the bottom.
 *
 * @module
 */
import { assert, type IdKey, type TableRange, type TableRow } from '@lattice/model'
import { type LayeredPage, readLayeredPage, scanPages } from './merge-rows.ts'
import { createPageCache } from './page-cache.ts'
import { createRowCache } from './row-cache.ts'
import { createRowChanges, type ReadRowChanges, type RowChange, type RowChanges } from './row-changes.ts'
import type { PageRange, PageTable } from './sqlite-table.ts'

/** A table as it was, however it changes: for those who read all of it over many turns. */
export interface TableSnapshot {
  readonly scan: (range: TableRange) => IterableIterator<TableRow>
  /** Bytes of rows that have changed since, which it keeps. */
  readonly bytes: () => number
  readonly release: () => void
}

export interface RowLayers {
  /** What the topmost layer has of a row. */
  readonly changeOf: (key: IdKey) => RowChange | undefined
  /** The row as stored, not to be changed, where the topmost layer has `top` of it. */
  readonly below: (key: IdKey, bytes: Uint8Array, top: RowChange | undefined) => Uint8Array | undefined
  /** Changes the topmost layer; answers what it had. */
  readonly put: (key: IdKey, bytes: Uint8Array, change: RowChange) => RowChange | undefined
  /** Takes a change of the topmost layer back, the last one first. */
  readonly restore: (key: IdKey, change: RowChange | undefined) => void
  /** A page of all layers, with `top` over them. */
  readonly page: (range: PageRange, top: readonly ReadRowChanges[]) => LayeredPage
  /** Starts a new topmost layer over this one; answers this one. */
  readonly freeze: () => ReadRowChanges
  /** The frozen rows are in the table below. */
  readonly thaw: () => void
  readonly snapshot: () => TableSnapshot
  /** Of the topmost layer. */
  readonly size: () => number
  readonly bytes: () => number
}

export function createRowLayers(base: PageTable): RowLayers {
  let rows = createRowChanges()
  let frozen: ReadRowChanges | undefined
  const cache = createRowCache(base)
  const pages = createPageCache(base)
  /** What open snapshots keep of rows that have changed since. */
  const snapshots = new Set<RowChanges>()

  function below(key: IdKey, bytes: Uint8Array, top: RowChange | undefined): Uint8Array | undefined {
    const change = top === undefined ? frozen?.get(key) : top
    return change === undefined ? cache.get(key, bytes) : (change ?? undefined)
  }

  function page(range: PageRange, top: readonly ReadRowChanges[]): LayeredPage {
    const layers = frozen === undefined ? [...top, rows] : [...top, rows, frozen]
    return readLayeredPage(
      layers.filter((layer) => layer.size() > 0),
      // While rows are written to the table below, it shows some of them.
      frozen === undefined ? pages.page : base.page,
      range,
    )
  }

  return {
    changeOf: (key) => rows.get(key),
    below,
    put: (key, bytes, change) => {
      const was = rows.get(key)
      for (const kept of snapshots) {
        if (kept.get(key) === undefined) kept.put(key, below(key, bytes, was) ?? null)
      }
      rows.put(key, change)
      return was
    },
    restore: (key, change) => {
      if (change === undefined) rows.forget(key)
      else rows.put(key, change)
    },
    page,
    freeze: () => {
      assert(frozen === undefined, 'one layer is frozen at a time')
      frozen = rows
      rows = createRowChanges()
      pages.clear()
      return frozen
    },
    thaw: () => {
      assert(frozen !== undefined, 'there is a frozen layer')
      cache.drop(frozen)
      frozen = undefined
    },
    snapshot: () => {
      const kept = createRowChanges()
      snapshots.add(kept)
      return {
        scan: (range) => scanPages((of) => page(of, [kept]), range),
        bytes: kept.bytes,
        release: () => void snapshots.delete(kept),
      }
    },
    size: () => rows.size(),
    bytes: () => rows.bytes(),
  }
}
