/**
 * A lock that one process holds on a file, released by the system when the process ends, however it ends.
 *
 * The lock is an open write transaction of SQLite, so it rests on the file locks of the operating system: nothing is
 * left behind that has to be recognised as stale. Others can still read, and so learn who holds it. Two holders within
 * one process exclude each other as well.
 *
 * @module
 */
import { rmSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import { translateStorageError } from './translate-error.ts'

export type LockAttempt =
  | {
      readonly kind: 'held'
      /** Idempotent. */
      readonly release: () => void
    }
  | {
      readonly kind: 'busy'
      /** What the holder wrote about itself, when it can be read. */
      readonly holder: string | undefined
    }

/**
 * Takes the lock at `path` without waiting, creating the file; `holder` is shown to whoever finds it taken. Throws
 * `StorageFailed` or `DiskFull` when the file cannot be used.
 */
export function tryExclusiveLock(path: string, holder: string): LockAttempt {
  try {
    return attempt(path, holder)
  } catch (error) {
    if (!isNoLock(error)) throw translateStorageError(error, { path, contents: 'other' })
  }
  // Not a lock file: nobody can hold it, and it carries nothing worth keeping.
  rmSync(path, { force: true })
  try {
    return attempt(path, holder)
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
}

function attempt(path: string, holder: string): LockAttempt {
  const handle = new Sqlite(path, { timeout: 0 })
  try {
    // The note is written over the one before, without a journal: a lock that was taken once needs no room on the disk
    // to be taken again. A crash in between leaves at worst a file that is no lock, and that is replaced.
    handle.pragma('journal_mode = MEMORY')
    // The note is committed first, so that others can read it; then the lock is taken for good.
    handle.exec('BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS holder (name TEXT NOT NULL); DELETE FROM holder')
    handle.prepare<[string]>('INSERT INTO holder (name) VALUES (?)').run(holder)
    handle.exec('COMMIT')
    handle.exec('BEGIN IMMEDIATE')
    return { kind: 'held', release: () => handle.close() }
  } catch (error) {
    const busy = hasCode(error, 'SQLITE_BUSY')
    const name = busy ? readHolder(handle) : undefined
    handle.close()
    if (busy) return { kind: 'busy', holder: name }
    throw error
  }
}

/** Found out within the write transaction, or before there can be one: nobody holds it. */
function isNoLock(error: unknown): boolean {
  return hasCode(error, 'SQLITE_NOTADB') || hasCode(error, 'SQLITE_CORRUPT')
}

function readHolder(handle: Sqlite.Database): string | undefined {
  try {
    return handle.prepare<[], { readonly name: string }>('SELECT name FROM holder').get()?.name
  } catch {
    return undefined
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Sqlite.SqliteError && (error.code === code || error.code.startsWith(`${code}_`))
}
