/**
 * The items of a foundation that were taken in, as they came, in a file of their own until the log is made of them.
 *
 * @module
 */
import { join } from 'node:path'
import { equalBytes, type StoreId } from '@lattice/model'
import { openDatabase, removeDatabase, type StorageHooks, toPlainBytes } from '@lattice/storage'
import { decodeFoundationItem } from './foundation-codec.ts'
import type { FoundationItem } from './foundation-types.ts'

export const FOUNDATION_FILE = 'foundation.db'

/** "LTFN". */
const APPLICATION_ID = 0x4c54464e

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), id BLOB NOT NULL);
   CREATE TABLE items (item INTEGER PRIMARY KEY, bytes BLOB NOT NULL);`,
]

export interface FoundationStaging {
  readonly count: () => number
  readonly bytes: () => number
  /** All of them or none. Throws `DiskFull` or `StorageFailed`. */
  readonly append: (items: readonly Uint8Array[]) => void
  /** Undefined where there is none, or none that can be read. */
  readonly at: (item: number) => FoundationItem | undefined
  /** Forgets all of them. */
  readonly clear: () => void
  readonly close: () => void
}

/** What is of another store is not gone on with. Throws `DiskFull` or `StorageFailed`. */
export function openFoundationStaging(directory: string, storeId: StoreId, hooks?: StorageHooks): FoundationStaging {
  const database = openDatabase({
    path: join(directory, FOUNDATION_FILE),
    contents: 'other',
    durability: 'full',
    applicationId: APPLICATION_ID,
    migrations: MIGRATIONS,
    ...(hooks && { hooks }),
  })
  const owner = database.prepare<{ readonly id: Buffer }>('SELECT id FROM store')
  const totals = database.prepare<{ readonly count: number; readonly bytes: number }>(
    'SELECT count(*) AS count, coalesce(sum(length(bytes)), 0) AS bytes FROM items',
  )
  const insert = database.prepare('INSERT INTO items VALUES (?, ?)')
  const read = database.prepare<{ readonly bytes: Buffer }>('SELECT bytes FROM items WHERE item = ?')
  const clear = (): void =>
    database.transaction(() => {
      database.prepare('DELETE FROM items').run()
      database.prepare('INSERT OR REPLACE INTO store VALUES (1, ?)').run(storeId)
    })
  try {
    const known = owner.get()
    if (known === undefined || !equalBytes(known.id, storeId)) clear()
  } catch (error) {
    database.close()
    throw error
  }
  let { count, bytes } = totals.get() ?? { count: 0, bytes: 0 }

  return {
    count: () => count,
    bytes: () => bytes,
    append: (items) => {
      database.transaction(() => items.forEach((item, index) => insert.run(count + index, item)))
      count += items.length
      for (const item of items) bytes += item.length
    },
    at: (item) => {
      const row = read.get(item)
      const decoded = row && decodeFoundationItem(toPlainBytes(row.bytes))
      return decoded?.ok === true ? decoded.value : undefined
    },
    clear: () => {
      clear()
      ;[count, bytes] = [0, 0]
    },
    close: database.close,
  }
}

export function removeFoundationStaging(directory: string): void {
  removeDatabase(join(directory, FOUNDATION_FILE))
}
