/**
 * A part of a table as a table of its own: the rows whose keys begin with a prefix, without it.
 *
 * Machines that are made of others keep each in its part, so none can reach the rows of another. Order is kept, because
 * all keys of a part share their first bytes. Prefixes of which none begins with another make parts that do not overlap.
 *
 * @module
 */
import { concatBytes, prefixRange, type ReadTable, type TableRange, type WriteTable } from '@lattice/model'

/** The part of `table` under `prefix`, for reading. */
export function prefixedReadTable(table: ReadTable, prefix: Uint8Array): ReadTable {
  const peek = table.peek?.bind(table)
  return {
    get: (key) => table.get(concatBytes(prefix, key)),
    // Where a table cannot be peeked into, its parts cannot: readers copy only what they peeked.
    ...(peek !== undefined && { peek: (key: Uint8Array) => peek(concatBytes(prefix, key)) }),
    *scan(range) {
      for (const { key, value } of table.scan(rangeWithin(prefix, range)))
        yield { key: key.subarray(prefix.length), value }
    },
  }
}

/** The part of `table` under `prefix`. */
export function prefixedWriteTable(table: WriteTable, prefix: Uint8Array): WriteTable {
  return {
    ...prefixedReadTable(table, prefix),
    set: (key, value) => table.set(concatBytes(prefix, key), value),
    delete: (key) => table.delete(concatBytes(prefix, key)),
  }
}

function rangeWithin(prefix: Uint8Array, { gte, lt, ...rest }: TableRange): TableRange {
  const whole = prefixRange(prefix)
  return {
    ...rest,
    gte: gte === undefined ? whole.gte : concatBytes(prefix, gte),
    ...(lt === undefined ? whole.lt !== undefined && { lt: whole.lt } : { lt: concatBytes(prefix, lt) }),
  }
}
