/**
 * Folds the write-ahead log of a copy into it, and has the file no longer say that it has one.
 *
 * @module
 */
import { assert } from '@lattice/model'
import Sqlite from 'better-sqlite3'

export interface FoldRequest {
  readonly path: string
}

export interface FoldAnswer {
  /** What SQLite reported. */
  readonly failure?: { readonly code: string; readonly message: string }
}

/** Throws what SQLite throws. The caller makes the file durable. */
export function foldCopy(path: string): void {
  const handle = new Sqlite(path, { fileMustExist: true })
  try {
    handle.pragma('locking_mode = EXCLUSIVE')
    handle.pragma('synchronous = OFF')
    const mode = handle.pragma('journal_mode = DELETE', { simple: true })
    assert(mode === 'delete', 'a database that nobody else has open takes another journal')
  } finally {
    handle.close()
  }
}
