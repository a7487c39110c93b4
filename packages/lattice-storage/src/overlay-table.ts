/**
 * Writes that are not in the database yet, over a table that is.
 *
 * Operations are applied to the overlay, and many of them become one transaction. A mark remembers a place to go back to:
 * an operation that is rejected, or whose machine throws, is undone without a trace. Nothing reaches the table below but
 * by whoever drains the overlay.
 *
 * @module
 */
import {
  assert,
  type IdKey,
  idKey,
  idKeyBytes,
  type ReadTable,
  type TableRange,
  type TableRow,
  type WriteTable,
} from '@lattice/model'
import { mergeRows, type OverlayValue } from './merge-rows.ts'

export interface OverlayTable extends WriteTable {
  /** From here on, changes can be undone. Drops the mark before. */
  readonly mark: () => void
  /** Undoes every change since the mark. */
  readonly rollback: () => void
  /** Every changed row, in order of key. */
  readonly changes: () => IterableIterator<readonly [Uint8Array, OverlayValue]>
  /** How many rows are changed. */
  readonly size: () => number
  /** Forgets everything, marks too. */
  readonly clear: () => void
}

interface Undo {
  readonly key: IdKey
  readonly had: boolean
  readonly value: OverlayValue
}

/** An empty overlay over `base`. */
export function createOverlayTable(base: ReadTable): OverlayTable {
  const rows = new Map<IdKey, OverlayValue>()
  let undo: Undo[] = []
  // Keys in order, made when a scan or drain needs them and dropped when a key is added.
  let sorted: readonly IdKey[] | undefined

  function sortedKeys(): readonly IdKey[] {
    sorted ??= [...rows.keys()].sort((a, b) => (a < b ? -1 : 1))
    return sorted
  }

  function put(keyBytes: Uint8Array, value: OverlayValue): void {
    const key = idKey(keyBytes)
    const had = rows.has(key)
    undo.push({ key, had, value: had ? rows.get(key) : undefined })
    if (!had) sorted = undefined
    rows.set(key, value)
  }

  function* changesIn({ gte, lt, reverse = false }: TableRange): IterableIterator<readonly [Uint8Array, OverlayValue]> {
    const keys = sortedKeys()
    const begin = gte === undefined ? 0 : lowerBound(keys, idKey(gte))
    const end = lt === undefined ? keys.length : lowerBound(keys, idKey(lt))
    for (let taken = 0; taken < end - begin; taken += 1) {
      const key = keys[reverse ? end - 1 - taken : begin + taken]
      assert(key !== undefined, 'a range of keys lies within them')
      yield [idKeyBytes(key), rows.get(key)]
    }
  }

  return {
    get: (keyBytes) => {
      const key = idKey(keyBytes)
      const value = rows.get(key)
      if (value !== undefined) return value.slice()
      return rows.has(key) ? undefined : base.get(keyBytes)
    },
    scan: (range): IterableIterator<TableRow> => {
      if (rows.size === 0) return base.scan(range)
      // The limit counts merged rows: a deleted row below must not use it up.
      const { limit: _, ...unlimited } = range
      return mergeRows(base.scan(unlimited), changesIn(range), range)
    },
    set: (key, value) => put(key, value.slice()),
    delete: (key) => put(key, undefined),
    mark: () => {
      undo = []
    },
    rollback: () => {
      for (const { key, had, value } of undo.reverse()) {
        if (had) rows.set(key, value)
        else rows.delete(key)
      }
      undo = []
      sorted = undefined
    },
    changes: () => changesIn({}),
    size: () => rows.size,
    clear: () => {
      rows.clear()
      undo = []
      sorted = undefined
    },
  }
}

function lowerBound(keys: readonly IdKey[], key: IdKey): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const at = keys[middle]
    if (at !== undefined && at < key) low = middle + 1
    else high = middle
  }
  return low
}
