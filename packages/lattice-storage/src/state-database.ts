/**
 * The projection of one store: its two tables, which operations were rejected, and how far in the log it reaches.
 *
 * Rows, rejections and cursor change in one transaction, so each operation counts exactly once whatever happens in
 * between. Everything here is derived: a file that is damaged, of another store or of another version is refused, and
 * its owner moves it aside and builds a new one from the log.
 *
 * @module
 */
import { equalBytes, isLatticeError, type StoreId, toHash, toIntentionId, ZERO_HASH } from '@lattice/model'
import { type Database, openDatabase } from './database.ts'
import { StateDamaged } from './errors.ts'
import { createFileSync, type FileSync } from './file-sync.ts'
import { toPlainBytes } from './plain-bytes.ts'
import { createSqliteTable, type PageTable } from './sqlite-table.ts'
import type { Rejection, StateChange, StateCursor, StateWrite } from './state-change.ts'
import { createStateWrite, type DiskState } from './state-write.ts'
import type { StorageHooks } from './storage-hooks.ts'

export interface StateDatabase {
  readonly system: PageTable
  readonly app: PageTable
  /** What is committed. */
  readonly cursor: () => StateCursor
  /** One at a time. */
  readonly write: (change: StateChange) => StateWrite
  /** Committed rejections of records after `seq`, in log order. */
  readonly rejections: (afterSeq: number, limit: number) => readonly Rejection[]
  readonly rejectionCount: () => number
  /** What was committed since the last checkpoint, in rows: a page of the write-ahead log holds at least one. */
  readonly rowsSinceCheckpoint: () => number
  /** Folds the write-ahead log into the file; see `Database.checkpoint`. */
  readonly checkpoint: (isSynced: boolean) => number
  /** Waits for the disk, off the event loop. */
  readonly sync: Pick<FileSync, 'file' | 'log'>
  /** See `Database.copyFiles`. */
  readonly copyFiles: Database['copyFiles']
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
  `ALTER TABLE state_meta ADD COLUMN made_with BLOB NOT NULL DEFAULT x'';`,
]

const NO_BYTES = new Uint8Array(0)

interface MetaRow {
  readonly store_id: Buffer
  readonly projector_version: string
  readonly cursor_seq: number
  readonly cursor_hash: Buffer
  readonly made_with: Buffer
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
    return createStateDatabase(database, () => readCursor(database, options), hooks)
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
      ownCheckpoints: true,
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
      database
        .prepare('INSERT INTO state_meta VALUES (1, ?, ?, 0, ?, ?)')
        .run(storeId, projectorVersion, ZERO_HASH, NO_BYTES)
    })
    return { seq: 0, chainHash: ZERO_HASH }
  }
  if (!equalBytes(row.store_id, storeId)) throw new StateDamaged(path, 'it belongs to another store')
  if (row.projector_version !== projectorVersion) {
    throw new StateDamaged(path, `it was made by ${row.projector_version}, this is ${projectorVersion}`)
  }
  if (row.cursor_hash.length !== ZERO_HASH.length || row.cursor_seq < 0) throw new StateDamaged(path, 'bad cursor')
  const cursor = { seq: row.cursor_seq, chainHash: toHash(toPlainBytes(row.cursor_hash)) }
  return row.made_with.length === 0 ? cursor : { ...cursor, madeWith: toPlainBytes(row.made_with) }
}

function createStateDatabase(
  database: Database,
  readFromDisk: () => StateCursor,
  hooks: StorageHooks | undefined,
): StateDatabase {
  const disk: DiskState = { cursor: readFromDisk(), rows: 0, rejections: undefined, readCursor: readFromDisk }
  const list = database.prepare<RejectionRow>(
    'SELECT * FROM rejections WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
  )
  const count = database.prepare<{ readonly count: number }>('SELECT count(*) AS count FROM rejections WHERE seq <= ?')
  const sync = createFileSync(database.path, hooks)

  return {
    system: createSqliteTable(database, 'system'),
    app: createSqliteTable(database, 'app'),
    cursor: () => disk.cursor,
    write: (change) => createStateWrite(database, disk, change),
    rejections: (afterSeq, limit) =>
      list
        .all(afterSeq, disk.cursor.seq, limit)
        .map(({ seq, id, reason }) => ({ seq, id: toIntentionId(toPlainBytes(id)), reason })),
    rejectionCount: () => {
      disk.rejections ??= count.get(disk.cursor.seq)?.count ?? 0
      return disk.rejections
    },
    rowsSinceCheckpoint: () => disk.rows,
    checkpoint: (isSynced) => {
      const pages = database.checkpoint(isSynced)
      disk.rows = 0
      return pages
    },
    sync,
    copyFiles: database.copyFiles,
    close: () => {
      try {
        database.close()
      } finally {
        sync.close()
      }
    },
  }
}
