/**
 * Rows of the table below that were read lately: hot keys are not asked of the database again.
 *
 * Bounded by two generations: what is read again moves to the young one, and when that is full the old one goes. An entry
 * is valid until the row is written to the table below, of which the cache is told. Rows that are not there are remembered
 * too: a write of a new key asks for it twice, for what it replaces and when it is applied.
 *
 * @module
 */
import type { IdKey } from '@lattice/model'
import type { ReadRowChanges } from './row-changes.ts'
import type { PageTable } from './sqlite-table.ts'

export interface RowCache {
  /** The row's value, not to be changed: the same array until the row is. */
  readonly get: (key: IdKey, bytes: Uint8Array) => Uint8Array | undefined
  /** These rows were written to the table below. */
  readonly drop: (written: ReadRowChanges) => void
}

/** Entries and bytes of a generation: a few MiB per table of an open store. */
const GENERATION_ROWS = 4096
const GENERATION_BYTES: number = 2 * 1024 * 1024
/** Larger values are not kept: they would push out everything else. */
const VALUE_BYTES_MAX: number = 64 * 1024

export function createRowCache(base: PageTable): RowCache {
  let young = new Map<IdKey, Uint8Array>()
  let old = new Map<IdKey, Uint8Array>()
  let youngBytes = 0
  const absent = new Set<IdKey>()

  function keep(key: IdKey, value: Uint8Array): void {
    if (value.length > VALUE_BYTES_MAX) return
    if (young.size >= GENERATION_ROWS || youngBytes >= GENERATION_BYTES) {
      old = young
      young = new Map()
      youngBytes = 0
    }
    young.set(key, value)
    youngBytes += key.length + value.length
  }

  return {
    get: (key, bytes) => {
      const known = young.get(key)
      if (known !== undefined) return known
      if (absent.has(key)) return undefined
      const value = old.get(key) ?? base.get(bytes)
      if (value !== undefined) keep(key, value)
      else {
        if (absent.size >= GENERATION_ROWS) absent.clear()
        absent.add(key)
      }
      return value
    },
    drop: (written) => {
      absent.clear()
      for (const generation of [young, old]) {
        for (const key of generation.keys()) if (written.get(key) !== undefined) generation.delete(key)
      }
    },
  }
}
