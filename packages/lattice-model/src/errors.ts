/**
 * Failures of operations in the world: one base class and the one list of stable codes.
 *
 * The code is the contract: exit codes, gRPC statuses and translations are chosen by it, in exhaustive tables, so a new
 * code is a compile error wherever it is not handled. The message is for a person and may change.
 *
 * @module
 */

/** Every code a {@link LatticeError} may carry, grouped by what the caller can do about it. */
export const LATTICE_ERROR_CODES = [
  'INVALID_ARGUMENT',
  'NOT_SUPPORTED',
  'INTERNAL',
  'ABORTED',
  'DEADLINE_EXCEEDED',
  'CLOSED',
  'STORE_NOT_FOUND',
  'STORE_AMBIGUOUS',
  'STORE_EXISTS',
  'STORE_TYPE_UNKNOWN',
  'STORE_NOT_READY',
  'METHOD_NOT_FOUND',
  'STREAM_NOT_FOUND',
  'INTENTION_NOT_FOUND',
  'INTENTION_AMBIGUOUS',
  'PEER_NOT_FOUND',
  'VALUE_NOT_FOUND',
  'NOT_ADMIN',
  'NOT_ADMITTED',
  'REVOKED',
  'NOT_WRITABLE',
  'NOT_REPLICATED',
  'NOT_CONFIRMED',
  'WRONG_STATE',
  'INVITE_NOT_FOUND',
  'BUNDLE_INVALID',
  'BACKUP_INVALID',
  'LIMIT_EXCEEDED',
  'CLOCK_SKEW',
  'TOKEN_MALFORMED',
  'TOKEN_EXPIRED',
  'TOKEN_USED',
  'TOKEN_REVOKED',
  'TOKEN_UNKNOWN',
  'TOKEN_FOREIGN',
  'JOIN_REFUSED',
  'PEER_UNREACHABLE',
  'PROTOCOL_VIOLATION',
  'VERSION_UNSUPPORTED',
  'SYNC_FAILED',
  'BOOTSTRAP_FAILED',
  'DATA_DIR_LOCKED',
  'DATA_DIR_UNUSABLE',
  'IDENTITY_UNREADABLE',
  'IDENTITY_EXPOSED',
  'IDENTITY_DAMAGED',
  'IDENTITY_FOREIGN',
  'LOG_DAMAGED',
  'STATE_DAMAGED',
  'SNAPSHOT_GONE',
  'PRUNED',
  'BASE_UNKNOWN',
  'DATABASE_DAMAGED',
  'DISK_FULL',
  'STORAGE_FAILED',
  'SCHEMA_TOO_NEW',
  'PROJECTION_STALLED',
  'DAEMON_UNREACHABLE',
  'ALREADY_RUNNING',
] as const

/** A stable error code. */
export type LatticeErrorCode = (typeof LATTICE_ERROR_CODES)[number]

const KNOWN_CODES: ReadonlySet<unknown> = new Set(LATTICE_ERROR_CODES)

/** True for one of the codes above. */
export function isLatticeErrorCode(code: unknown): code is LatticeErrorCode {
  return KNOWN_CODES.has(code)
}

/**
 * Base of every failure that reaches a caller. The message is one sentence that says who must do what; `detail` is
 * structured data for a program; `cause` is what was thrown below.
 */
export abstract class LatticeError extends Error {
  abstract readonly code: LatticeErrorCode
  readonly detail: Readonly<Record<string, unknown>> = {}
}

/** True for a {@link LatticeError}, also one made by another copy of this package. */
export function isLatticeError(error: unknown): error is LatticeError {
  return (
    error instanceof Error &&
    'code' in error &&
    isLatticeErrorCode(error.code) &&
    'detail' in error &&
    typeof error.detail === 'object' &&
    error.detail !== null
  )
}
