/**
 * Rows that were set or deleted and are not in the database yet, by key and in order of key.
 *
 * A stored value is never changed in place: a row that is written again gets another array.
 *
 * @module
 */
import type { IdKey } from '@lattice/model'
import { createKeyOrder, type KeyRange } from './key-order.ts'

/** A row's value, or `null` for one that was deleted. */
export type RowChange = Uint8Array | null

export interface ReadRowChanges {
  /** `undefined` for a row that is not changed. */
  readonly get: (key: IdKey) => RowChange | undefined
  /** Keys in the range, in its direction; at most `max` of them. */
  readonly slice: (range: KeyRange, max: number) => readonly IdKey[]
  /** Brings up to `max` keys into order; answers true when all are. */
  readonly settle: (max: number) => boolean
  readonly size: () => number
  /** About how much memory they take. */
  readonly bytes: () => number
}

export interface RowChanges extends ReadRowChanges {
  /** Keeps the value itself. */
  readonly put: (key: IdKey, change: RowChange) => void
  /** The row that was changed last, of those not changed before, is as if it had not been. */
  readonly forget: (key: IdKey) => void
}

/** What a row takes beside its key and value. */
const ROW_OVERHEAD_BYTES = 128

export function createRowChanges(): RowChanges {
  const rows = new Map<IdKey, RowChange>()
  const order = createKeyOrder()
  let bytes = 0

  return {
    get: (key) => rows.get(key),
    slice: order.slice,
    settle: order.settle,
    size: () => rows.size,
    bytes: () => bytes,
    put: (key, change) => {
      const before = rows.get(key)
      if (before === undefined) {
        order.add(key)
        bytes += key.length + ROW_OVERHEAD_BYTES
      } else bytes -= before?.length ?? 0
      bytes += change?.length ?? 0
      rows.set(key, change)
    },
    forget: (key) => {
      const before = rows.get(key)
      if (before === undefined) return
      bytes -= key.length + ROW_OVERHEAD_BYTES + (before?.length ?? 0)
      rows.delete(key)
      order.remove(key)
    },
  }
}
