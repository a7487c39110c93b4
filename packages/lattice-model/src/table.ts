/**
 * The port to an ordered table of byte keys: what state machines read and write.
 *
 * Keys are in bytewise order in every implementation, so a scan is deterministic. The arrays given out belong to the
 * caller; the arrays taken in are not kept.
 *
 * @module
 */

/** One row. */
export interface TableRow {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Which rows a scan covers: `gte ≤ key < lt`, either end open when absent. */
export interface TableRange {
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  /** At most so many rows, counted from where the scan begins. */
  readonly limit?: number
  /** From the last key to the first. */
  readonly reverse?: boolean
}

/** A table that is read. */
export interface ReadTable {
  readonly get: (key: Uint8Array) => Uint8Array | undefined
  /**
   * As `get`, without a copy: the array stays the table's and is not to be changed. Where a table has it, a row that did
   * not change is most often the same array again.
   */
  readonly peek?: (key: Uint8Array) => Uint8Array | undefined
  /** Rows in bytewise order of key. Writing to the table while a scan is open is a bug. */
  readonly scan: (range: TableRange) => IterableIterator<TableRow>
  /**
   * Where a table has it: the same object for as long as nothing in the table changes, and another afterwards, in every
   * table. What was derived from the rows is true for as long as the stamp is the same.
   */
  readonly stamp?: () => object
}

/** A table inside a transaction. */
export interface WriteTable extends ReadTable {
  readonly set: (key: Uint8Array, value: Uint8Array) => void
  /** Removes a row if it is there. */
  readonly delete: (key: Uint8Array) => void
}

/** The range of all keys that start with `prefix`. */
export function prefixRange(prefix: Uint8Array): { readonly gte: Uint8Array; readonly lt?: Uint8Array } {
  // The first key after all of them: the prefix up to its last byte below 255, with that byte one higher.
  let end = prefix.length
  while (end > 0 && prefix[end - 1] === 0xff) end -= 1
  if (end === 0) return { gte: prefix }
  // Copied by the constructor: the `slice` of Node's Buffer would share its bytes with the prefix.
  const lt = new Uint8Array(prefix.subarray(0, end))
  lt[end - 1] = (lt[end - 1] ?? 0) + 1
  return { gte: prefix, lt }
}
