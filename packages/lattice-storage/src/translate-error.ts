/**
 * From what SQLite and the operating system report to the failures of this package, in one place.
 *
 * @module
 */
import { isLatticeError } from '@lattice/model'
import { DatabaseDamaged, DiskFull, LogDamaged, StateDamaged, StorageFailed } from './errors.ts'

/** What a database holds, which decides what damage to it means. */
export type DatabaseContents = 'log' | 'state' | 'other'

/** Where an error came from. */
export interface ErrorSource {
  readonly path: string
  readonly contents: DatabaseContents
}

const FULL_CODES: ReadonlySet<string> = new Set(['SQLITE_FULL', 'ENOSPC', 'EDQUOT'])
const DENIED_CODES: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'SQLITE_PERM', 'SQLITE_AUTH'])

/** The typed failure for `error`. Errors that no disk made pass unchanged: they are bugs, or already typed. */
export function translateStorageError(error: unknown, source: ErrorSource): unknown {
  if (isLatticeError(error)) return error
  const code = codeOf(error)
  if (code === undefined) return error
  const { path } = source
  if (FULL_CODES.has(code)) return new DiskFull(path, { cause: error })
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') return damagedError(source, code, error)
  // Their statements stand in the source and fit the schema that was made: it is the schema that changed on the disk.
  if (code === 'SQLITE_ERROR' && source.contents !== 'other')
    return damagedError(source, error instanceof Error ? error.message : code, error)
  if (DENIED_CODES.has(code) || code.startsWith('SQLITE_READONLY')) {
    return failed(path, 'this user may not write it; check the owner and mode of the file and its directory', error)
  }
  if (code === 'EEXIST') return failed(path, 'something else stands in its place', error)
  if (code.startsWith('SQLITE_CANTOPEN') || code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') {
    return failed(path, 'it cannot be opened; check that its directory exists and may be read', error)
  }
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return failed(path, 'another process holds it; end that process first', error)
  }
  if (code.startsWith('SQLITE_IOERR') || code === 'EIO') return failed(path, `the disk failed (${code})`, error)
  if (code.startsWith('SQLITE_')) return failed(path, `SQLite reports ${code}`, error)
  return error
}

/** Damage to a database of these contents. */
export function damagedError({ path, contents }: ErrorSource, problem: string, cause?: unknown): Error {
  switch (contents) {
    case 'log':
      return new LogDamaged(path, { record: 'the database file', problem, cause })
    case 'state':
      return new StateDamaged(path, problem, { cause })
    case 'other':
      return new DatabaseDamaged(path, problem, { cause })
  }
}

function failed(path: string, reason: string, cause: unknown): StorageFailed {
  return new StorageFailed(path, reason, { cause })
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
