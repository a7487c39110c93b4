/**
 * The projection of one store: its two tables, which operations were rejected, and how far in the log it reaches.
 *
 * Rows, rejections and cursor change in one transaction, so each operation counts exactly once whatever happens in
 * between. Everything here is derived: a file that is damaged, of another store or of another version is refused, and
 * its owner moves it aside and builds a new one from the log.
 *
 * @module
 */
import { type Crypto, toIntentionId } from '@lattice/model'
import type { Database } from './database.ts'
import { createFileSync, type FileSync } from './file-sync.ts'
import type { FileWork } from './file-work.ts'
import { dropRoot, insertEmptyRoot, type KeptRoot, openKeptRoot } from './kept-root.ts'
import { toPlainBytes } from './plain-bytes.ts'
import { readRows, type RowPage, type RowPosition } from './row-pages.ts'
import { readCursor, recount, type StateOwner } from './state-meta.ts'
import type { StateRoot } from './state-root.ts'
import { openStateFile, STATE_APPLICATION_ID } from './state-schema.ts'
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
  /** The root of what is committed; undefined where it was opened without. */
  readonly root: () => StateRoot | undefined
  /**
   * Rows after a position, in order of table and key: as many as `maxBytes` and `PAGE_ROWS_MAX` allow, and at least one.
   * Not while a write is under way, of which it would show a part. Several pages are of one state if nothing was written
   * in between, as the root tells.
   */
  readonly readRows: (after: RowPosition | undefined, maxBytes: number) => RowPage
  /** What was committed since the last checkpoint, in rows: a page of the write-ahead log holds at least one. */
  readonly rowsSinceCheckpoint: () => number
  /** Folds the write-ahead log into the file; see `Database.checkpoint`. */
  readonly checkpoint: (isSynced: boolean) => number
  /** See `Database.shrink`; not while a write is under way. What is given back is taken off the file by the next checkpoint. */
  readonly shrink: Database['shrink']
  readonly room: Database['room']
  /** Waits for the disk, off the event loop. */
  readonly sync: Pick<FileSync, 'file' | 'log'>
  /** See `Database.copyFiles`. */
  readonly copyFiles: Database['copyFiles']
  readonly close: () => void
}

export interface OpenStateOptions extends StateOwner {
  /**
   * Keeps the root of all rows, by this cryptography. It costs a row that is written some twenty microseconds, so it is for
   * snapshots. A file that was written without is refused; one that is opened without forgets its root.
   */
  readonly stateRoot?: Crypto
  /** In threads unless told otherwise. */
  readonly fileWork?: FileWork
  /** The cursor's seq from here on, of a copy that goes on in another count. */
  readonly countsFrom?: number
  readonly hooks?: StorageHooks
}

interface RejectionRow {
  readonly seq: number
  readonly id: Buffer
  readonly reason: string
}

/** Opens or creates the state of a store. Throws `StateDamaged` for a file that has to be built anew. */
export function openStateDatabase(options: OpenStateOptions): StateDatabase {
  const database = openStateFile({ ...options, applicationId: STATE_APPLICATION_ID })
  try {
    return createStateDatabase(database, options)
  } catch (error) {
    database.close()
    throw error
  }
}

function createStateDatabase(database: Database, options: OpenStateOptions): StateDatabase {
  const { stateRoot: crypto } = options
  const readFromDisk = (): StateCursor => readCursor(database, options)
  const found = readCursor(database, options, () => crypto && insertEmptyRoot(database, crypto))
  const cursor = options.countsFrom === undefined ? found : recount(database, found, options.countsFrom)
  const root = openRoot(database, crypto)
  const disk: DiskState = { cursor, rows: 0, rejections: undefined, readCursor: readFromDisk, root }
  const list = database.prepare<RejectionRow>(
    'SELECT * FROM rejections WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
  )
  const count = database.prepare<{ readonly count: number }>('SELECT count(*) AS count FROM rejections WHERE seq <= ?')
  const sync = createFileSync(options)

  const tables = { system: createSqliteTable(database, 'system'), app: createSqliteTable(database, 'app') }
  return {
    ...tables,
    cursor: () => disk.cursor,
    write: (change) => createStateWrite(database, disk, change),
    root: () => root?.root(),
    readRows: (after, maxBytes) => readRows(tables, after, maxBytes),
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
    shrink: database.shrink,
    room: database.room,
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

function openRoot(database: Database, crypto: Crypto | undefined): KeptRoot | undefined {
  if (crypto !== undefined) return openKeptRoot(database, crypto)
  dropRoot(database)
  return undefined
}
