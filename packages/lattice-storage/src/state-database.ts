/**
 * The projection of one store: its two tables, which operations were rejected, and how far in the log it reaches.
 *
 * Rows, rejections and cursor change in one transaction, so each operation counts exactly once whatever happens in
 * between. Everything here is derived: a file that is damaged, of another store or of another version is refused, and
 * its owner moves it aside and builds a new one from the log.
 *
 * @module
 */
import {
  assert,
  equalBytes,
  type Hash,
  type IntentionId,
  isLatticeError,
  type ReadTable,
  type StoreId,
  toHash,
  toIntentionId,
  ZERO_HASH,
} from '@lattice/model'
import { type Database, openDatabase } from './database.ts'
import { StateDamaged } from './errors.ts'
import type { OverlayTable } from './overlay-table.ts'
import { toPlainBytes } from './plain-bytes.ts'
import { createSqliteTable, type TableName } from './sqlite-table.ts'
import type { StorageHooks } from './storage-hooks.ts'

/** How far the projection reaches: the last applied record of the log and its chain hash; 0 and zero before any. */
export interface StateCursor {
  readonly seq: number
  readonly chainHash: Hash
}

/** An operation that changed nothing, and why. */
export interface Rejection {
  readonly seq: number
  readonly id: IntentionId
  readonly reason: string
}

/** What one transaction changes. The overlays are read, not cleared. */
export interface StateChange {
  readonly cursor: StateCursor
  readonly system: OverlayTable
  readonly app: OverlayTable
  readonly rejections: readonly Rejection[]
}

export interface StateDatabase {
  /** What is committed. */
  readonly system: ReadTable
  readonly app: ReadTable
  readonly cursor: () => StateCursor
  /** When it throws, `cursor` tells whether the disk kept it all the same. */
  readonly commit: (change: StateChange) => void
  /** Rejections of records after `seq`, in log order. */
  readonly rejections: (afterSeq: number, limit: number) => readonly Rejection[]
  readonly rejectionCount: () => number
  readonly close: () => void
}

export interface OpenStateOptions {
  readonly path: string
  readonly storeId: StoreId
  /** Version of whoever makes the rows: another one would make others. */
  readonly projectorVersion: string
  readonly hooks?: StorageHooks
}

/** "LTTS". */
export const STATE_APPLICATION_ID = 0x4c545453

export const STATE_MIGRATIONS: readonly string[] = [
  `CREATE TABLE state_meta (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     store_id BLOB NOT NULL,
     projector_version TEXT NOT NULL,
     cursor_seq INTEGER NOT NULL,
     cursor_hash BLOB NOT NULL
   );
   CREATE TABLE system (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
   CREATE TABLE app (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
   CREATE TABLE rejections (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, reason TEXT NOT NULL);`,
]

interface MetaRow {
  readonly store_id: Buffer
  readonly projector_version: string
  readonly cursor_seq: number
  readonly cursor_hash: Buffer
}

interface RejectionRow {
  readonly seq: number
  readonly id: Buffer
  readonly reason: string
}

/** Opens or creates the state of a store. Throws `StateDamaged` for a file that has to be built anew. */
export function openStateDatabase(options: OpenStateOptions): StateDatabase {
  const { path, hooks } = options
  const database = openStateFile(path, hooks)
  try {
    return createStateDatabase(database, () => readCursor(database, options))
  } catch (error) {
    database.close()
    throw error
  }
}

function openStateFile(path: string, hooks: StorageHooks | undefined): Database {
  try {
    return openDatabase({
      path,
      contents: 'state',
      durability: 'normal',
      applicationId: STATE_APPLICATION_ID,
      migrations: STATE_MIGRATIONS,
      ...(hooks && { hooks }),
    })
  } catch (error) {
    if (isLatticeError(error) && error.code === 'SCHEMA_TOO_NEW') {
      throw new StateDamaged(path, 'a later version wrote it', { cause: error })
    }
    throw error
  }
}

function readCursor(database: Database, { path, storeId, projectorVersion }: OpenStateOptions): StateCursor {
  const row = database.prepare<MetaRow>('SELECT * FROM state_meta').get()
  if (row === undefined) {
    database.transaction(() => {
      database.prepare('INSERT INTO state_meta VALUES (1, ?, ?, 0, ?)').run(storeId, projectorVersion, ZERO_HASH)
    })
    return { seq: 0, chainHash: ZERO_HASH }
  }
  if (!equalBytes(row.store_id, storeId)) throw new StateDamaged(path, 'it belongs to another store')
  if (row.projector_version !== projectorVersion) {
    throw new StateDamaged(path, `it was made by ${row.projector_version}, this is ${projectorVersion}`)
  }
  if (row.cursor_hash.length !== ZERO_HASH.length || row.cursor_seq < 0) throw new StateDamaged(path, 'bad cursor')
  return { seq: row.cursor_seq, chainHash: toHash(toPlainBytes(row.cursor_hash)) }
}

function createStateDatabase(database: Database, readFromDisk: () => StateCursor): StateDatabase {
  let cursor = readFromDisk()
  const moveCursor = database.prepare('UPDATE state_meta SET cursor_seq = ?, cursor_hash = ? WHERE cursor_seq = ?')
  const reject = database.prepare('INSERT INTO rejections VALUES (?, ?, ?)')
  const list = database.prepare<RejectionRow>('SELECT * FROM rejections WHERE seq > ? ORDER BY seq LIMIT ?')

  const count = database.prepare<{ readonly count: number }>('SELECT count(*) AS count FROM rejections')

  return {
    system: createSqliteTable(database, 'system'),
    app: createSqliteTable(database, 'app'),
    cursor: () => cursor,
    commit: (change) => {
      assert(change.cursor.seq >= cursor.seq, 'the cursor only moves on')
      try {
        database.transaction(() => {
          drain(database, 'system', change.system)
          drain(database, 'app', change.app)
          for (const { seq, id, reason } of change.rejections) reject.run(seq, id, reason)
          const moved = moveCursor.run(change.cursor.seq, change.cursor.chainHash, cursor.seq)
          assert(moved === 1, 'the cursor on disk is the one in memory')
        })
      } catch (error) {
        // The disk may have kept the commit all the same; what it says counts.
        cursor = readFromDisk()
        throw error
      }
      cursor = change.cursor
    },
    rejections: (afterSeq, limit) =>
      list.all(afterSeq, limit).map(({ seq, id, reason }) => ({ seq, id: toIntentionId(toPlainBytes(id)), reason })),
    rejectionCount: () => count.get()?.count ?? 0,
    close: () => database.close(),
  }
}

function drain(database: Database, name: TableName, overlay: OverlayTable): void {
  if (overlay.size() === 0) return
  const set = database.prepare(
    `INSERT INTO ${name} VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
  )
  const remove = database.prepare(`DELETE FROM ${name} WHERE key = ?`)
  for (const [key, value] of overlay.changes()) {
    if (value === undefined) remove.run(key)
    else set.run(key, value)
  }
}
