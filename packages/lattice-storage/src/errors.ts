/**
 * Failures of files on disk, each with the file and what a person can do about it.
 *
 * @module
 */
import { LatticeError } from '@lattice/model'

interface ErrorCause {
  readonly cause?: unknown
}

/** The disk has no room. Nothing of the failed commit is there; writing goes on once there is room. */
export class DiskFull extends LatticeError {
  override readonly name = 'DiskFull'
  readonly code = 'DISK_FULL'
  override readonly detail: { readonly path: string }

  constructor(path: string, options?: ErrorCause) {
    super(`the disk that holds ${path} is full: free some space and try again`, options)
    this.detail = { path }
  }
}

/** The file cannot be opened, read or written. */
export class StorageFailed extends LatticeError {
  override readonly name = 'StorageFailed'
  readonly code = 'STORAGE_FAILED'
  override readonly detail: { readonly path: string; readonly reason: string }

  constructor(path: string, reason: string, options?: ErrorCause) {
    super(`${path} cannot be used: ${reason}`, options)
    this.detail = { path, reason }
  }
}

/** True for what the disk refused: the same may work later, without a change of the program or the data. */
export function isDiskFailure(error: unknown): error is DiskFull | StorageFailed {
  return error instanceof DiskFull || error instanceof StorageFailed
}

/** The file was written by a later version of this program. */
export class SchemaTooNew extends LatticeError {
  override readonly name = 'SchemaTooNew'
  readonly code = 'SCHEMA_TOO_NEW'
  override readonly detail: { readonly path: string; readonly found: number; readonly supported: number }

  constructor(path: string, found: number, supported: number) {
    super(`${path} has schema ${found} and this version reads up to ${supported}: use the newer version that wrote it`)
    this.detail = { path, found, supported }
  }
}

/** A log is not what was written. It holds the only truth, so it is refused, not repaired. */
export class LogDamaged extends LatticeError {
  override readonly name = 'LogDamaged'
  readonly code = 'LOG_DAMAGED'
  override readonly detail: { readonly path: string; readonly record: string; readonly problem: string }

  /** `record` names the first bad record, such as `witness 17` or `log_meta`. */
  constructor(path: string, { record, problem, cause }: { record: string; problem: string; cause?: unknown }) {
    super(
      `${path} is damaged at ${record} (${problem}): run \`lattice store repair\`, or restore it from a backup`,
      cause === undefined ? undefined : { cause },
    )
    this.detail = { path, record, problem }
  }
}

/** A database that is neither a log nor derived from one is not what was written. */
export class DatabaseDamaged extends LatticeError {
  override readonly name = 'DatabaseDamaged'
  readonly code = 'DATABASE_DAMAGED'
  override readonly detail: { readonly path: string; readonly problem: string }

  constructor(path: string, problem: string, options?: ErrorCause) {
    super(`${path} is damaged (${problem}): restore it from a backup`, options)
    this.detail = { path, problem }
  }
}

/** A derived database is not what was written. Whoever owns it moves it aside and builds it anew. */
export class StateDamaged extends LatticeError {
  override readonly name = 'StateDamaged'
  readonly code = 'STATE_DAMAGED'
  override readonly detail: { readonly path: string; readonly problem: string }

  constructor(path: string, problem: string, options?: ErrorCause) {
    super(`${path} is damaged (${problem}): it is rebuilt from the log when the store opens`, options)
    this.detail = { path, problem }
  }
}
