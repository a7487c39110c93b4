/**
 * Reads a projection that nobody has open: how far it reaches, and its tables, whoever made it.
 *
 * @module
 */
import { type ReadTable, type StoreId, toHash, toStoreId, ZERO_HASH } from '@lattice/model'
import { openDatabase } from './database.ts'
import { StateDamaged } from './errors.ts'
import { createOverlayTable } from './overlay-table.ts'
import { toPlainBytes } from './plain-bytes.ts'
import { createSqliteTable } from './sqlite-table.ts'
import type { StateCursor } from './state-change.ts'
import { STATE_APPLICATION_ID, STATE_MIGRATIONS } from './state-schema.ts'

export interface StateReader {
  readonly storeId: StoreId
  readonly cursor: StateCursor
  readonly system: ReadTable
  readonly app: ReadTable
  /** Idempotent. */
  readonly close: () => void
}

interface CursorRow {
  readonly store_id: Buffer
  readonly cursor_seq: number
  readonly cursor_hash: Buffer
}

/** Opens the state at `path` for reading. Throws `StateDamaged` or `StorageFailed`, as reading it may do later. */
export function openStateReader(path: string): StateReader {
  const database = openDatabase({
    path,
    contents: 'state',
    durability: 'normal',
    applicationId: STATE_APPLICATION_ID,
    migrations: STATE_MIGRATIONS,
    readonly: true,
  })
  try {
    const row = database.prepare<CursorRow>('SELECT store_id, cursor_seq, cursor_hash FROM state_meta').get()
    const isPlausible =
      row !== undefined &&
      row.store_id.length === ZERO_HASH.length &&
      row.cursor_hash.length === ZERO_HASH.length &&
      row.cursor_seq >= 0
    if (!isPlausible) throw new StateDamaged(path, 'bad cursor')
    return {
      storeId: toStoreId(toPlainBytes(row.store_id)),
      cursor: { seq: row.cursor_seq, chainHash: toHash(toPlainBytes(row.cursor_hash)) },
      system: createOverlayTable(createSqliteTable(database, 'system')).visible,
      app: createOverlayTable(createSqliteTable(database, 'app')).visible,
      close: () => database.close(),
    }
  } catch (error) {
    database.close()
    throw error
  }
}
