/**
 * A scan through a table with changes on top of it: two ordered streams become one.
 *
 * @module
 */
import { compareBytes, type TableRange, type TableRow } from '@lattice/model'

/** A row that was set, or `undefined` for one that was deleted. */
export type OverlayValue = Uint8Array | undefined

type Change = readonly [Uint8Array, OverlayValue]

/** Rows of `base` and `changes`, both in the range's order; where keys are equal the change stands. */
export function* mergeRows(
  base: IterableIterator<TableRow>,
  changes: IterableIterator<Change>,
  { limit = Infinity, reverse = false }: TableRange,
): IterableIterator<TableRow> {
  let row = take(base)
  let change = take(changes)
  for (let taken = 0; taken < limit;) {
    if (row === undefined && change === undefined) return
    const order = compareHeads(row, change, reverse)
    if (order < 0 && row !== undefined) {
      yield row
      taken += 1
      row = take(base)
      continue
    }
    if (order === 0) row = take(base)
    if (change !== undefined && change[1] !== undefined) {
      yield { key: change[0], value: change[1].slice() }
      taken += 1
    }
    change = take(changes)
  }
}

function compareHeads(row: TableRow | undefined, change: Change | undefined, reverse: boolean): number {
  if (row === undefined) return 1
  if (change === undefined) return -1
  const order = compareBytes(row.key, change[0])
  return reverse ? -order : order
}

function take<T>(source: IterableIterator<T>): T | undefined {
  const next = source.next()
  return next.done === true ? undefined : next.value
}
