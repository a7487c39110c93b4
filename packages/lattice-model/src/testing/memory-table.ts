/**
 * A table in memory: the contract of `WriteTable` at its plainest, for tests of what is built on it.
 *
 * Copies on the way in and out, so a test that writes to an array it gave or got finds out here, not in a database.
 *
 * @module
 */
import { assert } from '../assert.ts'
import { type IdKey, idKey, idKeyBytes } from '../ids.ts'
import type { TableRange, TableRow, WriteTable } from '../table.ts'

/** A {@link WriteTable} a test can look into. */
export interface MemoryTable extends WriteTable {
  /** All rows, in order of key. */
  readonly entries: () => TableRow[]
  readonly size: () => number
  readonly clear: () => void
}

/** Makes an empty table. */
export function createMemoryTable(): MemoryTable {
  const values = new Map<IdKey, Uint8Array>()
  // Text order of these keys is byte order of the rows.
  let keys: IdKey[] = []
  let version = {}

  function* scan({ gte, lt, limit = Infinity, reverse = false }: TableRange): IterableIterator<TableRow> {
    assert(limit >= 0, 'a limit is not negative')
    const begin = gte === undefined ? 0 : lowerBound(keys, idKey(gte))
    const end = lt === undefined ? keys.length : lowerBound(keys, idKey(lt))
    const startedAt = version
    for (let taken = 0; taken < Math.min(limit, end - begin); taken += 1) {
      assert(version === startedAt, 'a table is not written to while a scan is open')
      const key = keys[reverse ? end - 1 - taken : begin + taken]
      const value = key === undefined ? undefined : values.get(key)
      assert(key !== undefined && value !== undefined, 'every key has a row')
      yield { key: idKeyBytes(key), value: value.slice() }
    }
  }

  return {
    get: (key) => values.get(idKey(key))?.slice(),
    scan,
    set: (key, value) => {
      const name = idKey(key)
      version = {}
      if (!values.has(name)) keys.splice(lowerBound(keys, name), 0, name)
      values.set(name, value.slice())
    },
    delete: (key) => {
      const name = idKey(key)
      if (!values.delete(name)) return
      version = {}
      keys.splice(lowerBound(keys, name), 1)
    },
    stamp: () => version,
    entries: () => [...scan({})],
    size: () => values.size,
    clear: () => {
      version = {}
      values.clear()
      keys = []
    },
  }
}

function lowerBound(keys: readonly IdKey[], key: IdKey): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    const at = keys[middle]
    if (at !== undefined && at < key) low = middle + 1
    else high = middle
  }
  return low
}
