/**
 * One SQLite file: opened with the pragmas a durable store needs, its schema brought up to date, its errors typed.
 *
 * Everything is synchronous and one connection is the only writer, so no statement ever sees half a transaction of
 * another, and no other process opens the file meanwhile: it is told that the file is held. Statements are prepared once
 * and kept.
 *
 * @module
 */
import { assert } from '@lattice/model'
import Sqlite from 'better-sqlite3'
import type { CopyOptions } from './copy-bytes.ts'
import { createDatabaseCopies } from './copy-database.ts'
import { SchemaTooNew, StorageFailed } from './errors.ts'
import { type FileWork, threadedFileWork } from './file-work.ts'
import { type Migration, migrate } from './migrations.ts'
import { createShrinking, makeShrinkable, type Shrinking } from './shrink-file.ts'
import type { StorageHooks, StoragePoint } from './storage-hooks.ts'
import { damagedError, type DatabaseContents, translateStorageError } from './translate-error.ts'

/** What a column may hold. Integers are safe integers. */
export type SqlValue = Uint8Array | number | string | null

/** A prepared statement. `Row` is what the caller knows its columns to be; blobs come back as `Buffer`s. */
export interface Statement<Row> {
  /** Runs a statement that writes; answers how many rows it changed. */
  readonly run: (...values: readonly SqlValue[]) => number
  readonly get: (...values: readonly SqlValue[]) => Row | undefined
  readonly all: (...values: readonly SqlValue[]) => Row[]
}

export interface Database extends Shrinking {
  readonly path: string
  /** The statement for this text, prepared at its first use. */
  readonly prepare: <Row = never>(sql: string) => Statement<Row>
  /** Commits what `work` wrote, durably as the database was opened for; when anything throws, nothing of it is there. */
  readonly transaction: <T>(work: () => T) => T
  /**
   * The same, without waiting for the disk: a power cut may take it back, with all that was written after it in this way.
   * The next `transaction` makes it last. For what is done again where it was lost.
   */
  readonly relaxed: <T>(work: () => T) => T
  /** Copies what is committed to a new file at `path`, a few pages per turn of the event loop. */
  readonly copyTo: (path: string) => Promise<void>
  /**
   * Copies what is committed to one new, durable file at `path`, off the event loop; commits go on meanwhile, and no
   * checkpoint. Rejects with `DiskFull`, `StorageFailed` (also when it is closed meanwhile), or `signal.reason`; what was
   * written is for the caller to remove. See copy-database.ts.
   */
  readonly copyFiles: (path: string, options?: CopyOptions) => Promise<void>
  /** Begins a transaction that stays open over several turns; until it ends no other begins. */
  readonly begin: () => OpenTransaction
  /**
   * Copies the write-ahead log into the file; answers how many pages it held. With `isSynced` the caller sees itself that
   * the log is durable before and the file after, before anything else is written. Not inside a transaction. Does nothing
   * while the files are copied: the log goes on, and the next checkpoint takes it all.
   */
  readonly checkpoint: (isSynced: boolean) => number
  /** Folds the write-ahead log into the file. Idempotent. */
  readonly close: () => void
}

/** What is written until it ends is there as a whole or not at all. When either throws, it has ended. */
export interface OpenTransaction {
  readonly commit: () => void
  /** Ends it with nothing written. Does nothing once it has ended. */
  readonly rollback: () => void
}

export interface OpenDatabaseOptions {
  readonly path: string
  readonly contents: DatabaseContents
  /** `full`: a commit survives a power cut. `normal`: it may be lost, but never torn. */
  readonly durability: 'full' | 'normal'
  /** Marks the file as this kind of database: a positive 31-bit number. */
  readonly applicationId: number
  /** Each brings the schema one version up; the version is their count. */
  readonly migrations: readonly Migration[]
  readonly readonly?: boolean
  /** The write-ahead log is folded into the file by `checkpoint` alone, and when closing. */
  readonly ownCheckpoints?: boolean
  /** How it is copied; in threads unless told otherwise. */
  readonly fileWork?: FileWork
  /**
   * The file can shrink by parts. One from before this could be asked for is made so when it is opened and half of it is
   * free.
   */
  readonly shrinks?: boolean
  readonly hooks?: StorageHooks
}

/** How long to wait for another process that holds the file: it may be closing just now. The event loop waits with it. */
const BUSY_TIMEOUT_MS = 200
/** Prepared statements of one database: they are written in the source, so there are a few dozen. */
const STATEMENTS_MAX = 256
/** Pages copied in one turn of the event loop: well under a millisecond. */
const COPY_PAGES = 64
/** Pages of the write-ahead log that fold it into the file: a copy of a few milliseconds in one turn. */
const PAGES_PER_CHECKPOINT = 512
/** Pages cached in memory: 16 MiB, enough for the upper levels of every index. */
const CACHE_KIB = 16384

/**
 * Opens or creates a database. Throws `SchemaTooNew`, the damage error of its contents, `DiskFull` or `StorageFailed`;
 * then nothing is left open.
 */
export function openDatabase(options: OpenDatabaseOptions): Database {
  const { path } = options
  const translate = (error: unknown): unknown => translateStorageError(error, options)
  const guard = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      throw translate(error)
    }
  }
  const readonly = options.readonly ?? false
  const handle = guard(() => {
    options.hooks?.at('open', path)
    return openHandle(path, readonly)
  })
  try {
    guard(() => {
      configure(handle, options)
      options.hooks?.at('opened', path)
    })
    return createDatabase(handle, { guard, translate, options })
  } catch (error) {
    handle.close()
    throw error
  }
}

function openHandle(path: string, readonly: boolean): Sqlite.Database {
  try {
    return new Sqlite(path, { readonly, fileMustExist: readonly, timeout: BUSY_TIMEOUT_MS })
  } catch (error) {
    // The driver itself looks for the directory, and reports it without a code.
    if (error instanceof TypeError) throw new StorageFailed(path, error.message, { cause: error })
    throw error
  }
}

function configure(handle: Sqlite.Database, options: OpenDatabaseOptions): void {
  const { path, applicationId, migrations } = options
  // Before the first access: then there is no shared memory and no lock per statement.
  if (options.readonly !== true) handle.exec('PRAGMA locking_mode = EXCLUSIVE')
  const found = handle.pragma('application_id', { simple: true })
  const version = Number(handle.pragma('user_version', { simple: true }))
  if (found !== 0 && found !== applicationId) throw damagedError(options, 'it is a database of another kind')
  if (found === 0 && version !== 0) throw damagedError(options, 'it has no application id')
  if (version > migrations.length) throw new SchemaTooNew(path, version, migrations.length)
  if (options.readonly === true) {
    if (version === 0) throw damagedError(options, 'it is empty')
    return
  }
  // It is a matter of the file's first page.
  if (options.shrinks === true && version === 0) handle.exec('PRAGMA auto_vacuum = INCREMENTAL')
  // In one call: each that is asked as a statement of its own costs several times as much.
  handle.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = ${synchronousOf(options)};
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cache_size = -${CACHE_KIB};
    PRAGMA wal_autocheckpoint = ${pagesPerCheckpoint(options)};
  `)
  tellSettings(handle, options)
  migrate(handle, { migrations, version, applicationId })
  if (options.shrinks === true) makeShrinkable(handle)
}

interface DatabaseParts {
  readonly guard: <T>(work: () => T) => T
  /** The typed failure for what a statement threw. */
  readonly translate: (error: unknown) => unknown
  readonly options: OpenDatabaseOptions
}

function createDatabase(handle: Sqlite.Database, parts: DatabaseParts): Database {
  const { guard, options } = parts
  const { path, hooks } = options
  const statements = new Map<string, Statement<unknown>>()
  const at = (point: StoragePoint): void => hooks?.at(point, path)
  function addStatement(sql: string): Statement<unknown> {
    assert(statements.size < STATEMENTS_MAX, 'statements are few and written in the source')
    const statement = createStatement(handle, parts, sql)
    statements.set(sql, statement)
    return statement
  }

  const { transaction, relaxed, begin, checkpoint } = createTransactions(handle, parts)
  let pauses = 0
  const copies = createDatabaseCopies({
    path,
    fileWork: options.fileWork ?? threadedFileWork,
    isOpen: () => handle.open,
    pauseCheckpoints: () => {
      pauses += 1
      handle.pragma('wal_autocheckpoint = 0')
      return () => {
        pauses -= 1
        if (pauses === 0 && handle.open) handle.pragma(`wal_autocheckpoint = ${pagesPerCheckpoint(options)}`)
      }
    },
  })

  return {
    path,
    prepare: <Row>(sql: string) => {
      const statement = statements.get(sql) ?? addStatement(sql)
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one place where SQL text becomes a row type.
      return statement as Statement<Row>
    },
    transaction,
    relaxed,
    begin,
    checkpoint: (isSynced) => (pauses === 0 ? checkpoint(isSynced) : 0),
    ...createShrinking(handle, {
      path,
      hooks,
      guard,
      relaxed: (work) => relaxing(handle, parts, work),
      isPaused: () => pauses > 0,
    }),
    copyFiles: copies.copy,
    copyTo: async (to) => {
      try {
        await handle.backup(to, { progress: () => COPY_PAGES })
      } catch (error) {
        throw translateStorageError(error, options)
      }
    },
    close: () => {
      if (!handle.open) return
      guard(() => {
        try {
          at('close')
        } finally {
          handle.close()
          copies.close()
        }
        at('closed')
      })
    },
  }
}

/** The ways in which a database is changed as a whole. */
function createTransactions(
  handle: Sqlite.Database,
  parts: DatabaseParts,
): Pick<Database, 'transaction' | 'relaxed' | 'begin' | 'checkpoint'> {
  const { guard, options } = parts
  const { path, hooks } = options
  const at = (point: StoragePoint): void => hooks?.at(point, path)
  const beginNow = compiledLater(handle, 'BEGIN IMMEDIATE')
  const commit = compiledLater(handle, 'COMMIT')
  const rollback = compiledLater(handle, 'ROLLBACK')

  function rollbackIfOpen(): void {
    // SQLite has rolled back by itself after some errors, such as a full disk.
    if (handle.inTransaction) rollback().run()
  }

  function commitOrRollback(): void {
    try {
      at('commit')
      commit().run()
    } catch (error) {
      rollbackIfOpen()
      throw error
    }
    at('committed')
  }

  function transaction<T>(work: () => T): T {
    assert(!handle.inTransaction, 'transactions are not nested')
    return guard(() => {
      beginNow().run()
      let result: T
      try {
        result = work()
      } catch (error) {
        rollbackIfOpen()
        throw error
      }
      commitOrRollback()
      return result
    })
  }

  return {
    transaction,
    relaxed: (work) => relaxing(handle, parts, () => transaction(work)),
    begin: () => {
      assert(!handle.inTransaction, 'transactions are not nested')
      guard(() => beginNow().run())
      return { commit: () => guard(commitOrRollback), rollback: () => guard(rollbackIfOpen) }
    },
    checkpoint: (isSynced) => checkpoint(handle, parts, isSynced),
  }
}

function createStatement(
  handle: Sqlite.Database,
  { guard, translate, options: { path, hooks } }: DatabaseParts,
  sql: string,
): Statement<unknown> {
  const prepared = compiledLater(handle, sql)
  return {
    // Spelled out rather than guarded: a call costs no closure.
    run: (...values) => {
      try {
        if (hooks !== undefined) hooks.at('write', path)
        const { changes } = prepared().run(...values)
        if (hooks !== undefined) hooks.at('written', path)
        return changes
      } catch (error) {
        throw translate(error)
      }
    },
    get: (...values) => {
      try {
        return prepared().get(...values)
      } catch (error) {
        throw translate(error)
      }
    },
    all: (...values) => guard(() => prepared().all(...values)),
  }
}

/** Compiled at its first use: most of what a store may ask is not asked while it opens. */
function compiledLater(handle: Sqlite.Database, sql: string): () => Sqlite.Statement<SqlValue[]> {
  let compiled: Sqlite.Statement<SqlValue[]> | undefined
  return () => (compiled ??= handle.prepare<SqlValue[]>(sql))
}

function setSynchronous(handle: Sqlite.Database, options: OpenDatabaseOptions, level: 'OFF' | 'NORMAL' | 'FULL'): void {
  handle.pragma(`synchronous = ${level}`)
  tellSettings(handle, options)
}

/** Not inside a transaction. */
function relaxing<T>(handle: Sqlite.Database, { guard, options }: DatabaseParts, work: () => T): T {
  if (options.durability !== 'full') return work()
  guard(() => setSynchronous(handle, options, 'NORMAL'))
  try {
    return work()
  } finally {
    guard(() => setSynchronous(handle, options, 'FULL'))
  }
}

function checkpoint(handle: Sqlite.Database, { guard, options }: DatabaseParts, isSynced: boolean): number {
  assert(!handle.inTransaction, 'a checkpoint is not inside a transaction')
  return guard(() => {
    if (isSynced) setSynchronous(handle, options, 'OFF')
    try {
      options.hooks?.at('write', options.path)
      return pagesOf(handle.pragma('wal_checkpoint(PASSIVE)'))
    } finally {
      if (isSynced) setSynchronous(handle, options, synchronousOf(options))
    }
  })
}

function pagesPerCheckpoint({ ownCheckpoints }: OpenDatabaseOptions): number {
  return ownCheckpoints === true ? 0 : PAGES_PER_CHECKPOINT
}

/** What SQLite says, not what it was told. */
function tellSettings(handle: Sqlite.Database, { path, hooks }: OpenDatabaseOptions): void {
  // Nothing is read back where nobody asks.
  hooks?.configured?.(path, {
    synchronous: Number(handle.pragma('synchronous', { simple: true })),
    journalMode: String(handle.pragma('journal_mode', { simple: true })),
  })
}

function synchronousOf({ durability }: OpenDatabaseOptions): 'FULL' | 'NORMAL' {
  return durability === 'full' ? 'FULL' : 'NORMAL'
}

/** The one row of a checkpoint: whether it was kept from it, the pages in the log, and those copied. */
function pagesOf(rows: unknown): number {
  const row: unknown = Array.isArray(rows) ? rows[0] : undefined
  assert(typeof row === 'object' && row !== null && 'log' in row && 'checkpointed' in row, 'a checkpoint reports')
  const { log, checkpointed } = row
  assert(log === checkpointed, 'nobody else reads, so a checkpoint copies every page')
  return Number(log)
}
