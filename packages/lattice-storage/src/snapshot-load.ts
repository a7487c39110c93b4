/**
 * Builds a state from the pages of a snapshot that somebody else sends, and takes it for one only if its root is the
 * expected one.
 *
 * Each page is one transaction with the root of all rows so far, and pages come in order of their rows: so the last row is
 * the mark of how far loading came, whatever was interrupted, and nothing else has to be kept in step with it. The file has
 * the mark of a part until the load is finished; nobody opens it as state before.
 *
 * A root vouches for the whole only. Rows that somebody made up are found out at the end, when the file has to be deleted.
 *
 * @module
 */
import { assert, type Crypto, equalBytes, err, type Hash, ok, type Result } from '@lattice/model'
import type { Database } from './database.ts'
import { StateDamaged } from './errors.ts'
import { createFileSync, type FileSync } from './file-sync.ts'
import type { FileWork } from './file-work.ts'
import { insertEmptyRoot, type KeptRoot, openKeptRoot } from './kept-root.ts'
import { checkPage, comparePositions, type PageFault, type RowPosition, type StateRow } from './row-pages.ts'
import { createRowWriter } from './row-writer.ts'
import { createSqliteTable } from './sqlite-table.ts'
import type { StateCursor } from './state-change.ts'
import { moveCursor, readCursor, type StateOwner } from './state-meta.ts'
import type { StateRoot } from './state-root.ts'
import { LOADING_APPLICATION_ID, openStateFile, STATE_APPLICATION_ID } from './state-schema.ts'
import type { StorageHooks } from './storage-hooks.ts'

export interface SnapshotLoad {
  /** The last row that is here: the next page begins after it. */
  readonly position: () => RowPosition | undefined
  /** Of the rows that are here. */
  readonly root: () => StateRoot
  /** Takes in a page, as a whole or not at all, in one turn; answers where it ends. */
  readonly load: (rows: readonly StateRow[]) => Result<RowPosition, PageFault>
  /**
   * Waits for the disk where much has gathered in the write-ahead log, off the event loop, and folds it into the file. To
   * be awaited after each page; nothing else is called meanwhile.
   */
  readonly settle: () => Promise<void>
  /**
   * There are no more rows: makes the file a state at `cursor`, if its root is the expected one; else nothing changes, and
   * loading may go on. Close it afterwards, also when this throws: the file is then still a part, or already whole.
   */
  readonly finish: (cursor: StateCursor) => Result<StateRoot, RootMismatch>
  /** Idempotent. What is loaded stays. */
  readonly close: () => void
}

/** What was loaded is not the snapshot that was asked for: rows are wrong or missing. */
export interface RootMismatch {
  readonly code: 'root_mismatch'
  readonly expected: Hash
  readonly found: StateRoot
}

export interface OpenLoadOptions extends StateOwner {
  readonly crypto: Crypto
  /** The root of the snapshot, from whoever vouches for it. */
  readonly expected: Hash
  /** In threads unless told otherwise. */
  readonly fileWork?: FileWork
  readonly hooks?: StorageHooks
}

/** Rows in the write-ahead log that are worth a wait for the disk: a few MiB of pages. */
const ROWS_PER_SETTLE = 8192

/**
 * Begins to load a snapshot into a new file, or goes on with one. Throws `StateDamaged` when what is there is no part of
 * this snapshot; it may be a whole one, which `openStateDatabase` opens.
 */
export function openSnapshotLoad(options: OpenLoadOptions): SnapshotLoad {
  const database = openStateFile({ ...options, applicationId: LOADING_APPLICATION_ID })
  try {
    return createSnapshotLoad(database, options)
  } catch (error) {
    database.close()
    throw error
  }
}

function createSnapshotLoad(database: Database, options: OpenLoadOptions): SnapshotLoad {
  const { crypto, expected } = options
  const cursor = readCursor(database, options, () => insertEmptyRoot(database, crypto, expected))
  const kept = openKeptRoot(database, crypto)
  checkTarget(database, expected)
  const sync = createFileSync(options)
  const settling = createSettling(database, sync)
  let position = readPosition(database)
  let isOver = false

  return {
    position: () => position,
    root: kept.root,
    load: (rows) => {
      assert(!isOver && !settling.isBusy(), 'a page is loaded before the end, and not while the disk is waited for')
      const checked = checkPage(rows, position)
      if (!checked.ok) return checked
      storePage(database, kept, { rows, end: checked.value })
      position = checked.value
      settling.count(rows.length)
      return checked
    },
    settle: settling.settle,
    finish: (end) => {
      assert(!isOver && !settling.isBusy(), 'a load is finished once, and not while the disk is waited for')
      const found = kept.root()
      if (!equalBytes(found.hash, expected)) return err({ code: 'root_mismatch', expected, found })
      // Where this fails, only the disk knows what the file is.
      isOver = true
      database.transaction(() => {
        const isMoved = moveCursor(database, cursor, end)
        assert(isMoved, 'the cursor on disk is the one in memory')
        database.prepare('UPDATE state_root SET expected = NULL').run()
        database.prepare(`PRAGMA application_id = ${STATE_APPLICATION_ID}`).run()
      })
      return ok(found)
    },
    close: () => {
      isOver = true
      try {
        database.close()
      } finally {
        sync.close()
      }
    },
  }
}

interface Page {
  readonly rows: readonly StateRow[]
  readonly end: RowPosition
}

function storePage(database: Database, kept: KeptRoot, { rows, end }: Page): void {
  const sum = kept.begin()
  const write = {
    system: createRowWriter(database, 'system', sum),
    app: createRowWriter(database, 'app', sum),
  }
  try {
    database.transaction(() => {
      for (const { table, key, value } of rows) write[table](key, value)
      kept.save(sum)
    })
  } catch (error) {
    // The disk may have kept the commit all the same; what it says counts.
    const last = readPosition(database)
    if (last === undefined || comparePositions(last, end) !== 0) throw error
  } finally {
    kept.settle()
  }
}

interface Settling {
  readonly settle: SnapshotLoad['settle']
  readonly isBusy: () => boolean
  /** So many rows were written. */
  readonly count: (rows: number) => void
}

function createSettling(database: Database, sync: FileSync): Settling {
  let rows = 0
  let isBusy = false
  return {
    isBusy: () => isBusy,
    count: (written) => {
      rows += written
    },
    settle: async () => {
      assert(!isBusy, 'one waits for the disk at a time')
      if (rows < ROWS_PER_SETTLE) return
      isBusy = true
      try {
        await sync.log()
        database.checkpoint(true)
        await sync.file()
        rows = 0
      } finally {
        isBusy = false
      }
    },
  }
}

function checkTarget(database: Database, expected: Hash): void {
  const row = database.prepare<{ readonly expected: Buffer | null }>('SELECT expected FROM state_root').get()
  const target = row?.expected
  if (!Buffer.isBuffer(target) || !equalBytes(target, expected)) {
    throw new StateDamaged(database.path, 'it is part of another snapshot')
  }
}

function readPosition(database: Database): RowPosition | undefined {
  for (const table of ['app', 'system'] as const) {
    const range = { gte: undefined, lt: undefined, reverse: true, rows: 1 }
    const [last] = createSqliteTable(database, table).page(range)
    if (last !== undefined) return { table, key: last.key }
  }
  return undefined
}
