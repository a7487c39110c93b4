/**
 * What each error code becomes outside the process: a gRPC status and an exit
 * code of the command line. One exhaustive table, so that a new code cannot be
 * forgotten.
 *
 * @module
 */
import { status } from '@grpc/grpc-js'
import type { LatticeErrorCode } from '@lattice/model'

/** Exit codes of the command line. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  noDaemon: 4,
  refused: 5,
  integrity: 6,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export interface ErrorMapping {
  readonly grpc: status
  readonly exit: ExitCode
}

const to = (grpc: status, exit: ExitCode): ErrorMapping => ({ grpc, exit })

const NOT_FOUND = to(status.NOT_FOUND, EXIT.notFound)
const USAGE = to(status.INVALID_ARGUMENT, EXIT.usage)
const REFUSED = to(status.PERMISSION_DENIED, EXIT.refused)
const DAMAGED = to(status.DATA_LOSS, EXIT.integrity)
const UNAVAILABLE = to(status.UNAVAILABLE, EXIT.failed)
const PRECONDITION = to(status.FAILED_PRECONDITION, EXIT.failed)
const INTERNAL = to(status.INTERNAL, EXIT.failed)

/** Status and exit code of every error code. */
export const ERROR_TABLE: Readonly<Record<LatticeErrorCode, ErrorMapping>> = {
  INVALID_ARGUMENT: USAGE,
  NOT_SUPPORTED: to(status.UNIMPLEMENTED, EXIT.failed),
  INTERNAL,
  ABORTED: to(status.CANCELLED, EXIT.failed),
  DEADLINE_EXCEEDED: to(status.DEADLINE_EXCEEDED, EXIT.failed),
  CLOSED: UNAVAILABLE,
  STORE_NOT_FOUND: NOT_FOUND,
  STORE_AMBIGUOUS: USAGE,
  STORE_EXISTS: to(status.ALREADY_EXISTS, EXIT.failed),
  STORE_TYPE_UNKNOWN: USAGE,
  STORE_NOT_READY: PRECONDITION,
  METHOD_NOT_FOUND: NOT_FOUND,
  STREAM_NOT_FOUND: NOT_FOUND,
  INTENTION_NOT_FOUND: NOT_FOUND,
  INTENTION_AMBIGUOUS: USAGE,
  PEER_NOT_FOUND: NOT_FOUND,
  VALUE_NOT_FOUND: NOT_FOUND,
  NOT_ADMIN: REFUSED,
  NOT_ADMITTED: REFUSED,
  REVOKED: REFUSED,
  NOT_WRITABLE: REFUSED,
  NOT_REPLICATED: to(status.FAILED_PRECONDITION, EXIT.refused),
  NOT_CONFIRMED: to(status.FAILED_PRECONDITION, EXIT.refused),
  WRONG_STATE: PRECONDITION,
  INVITE_NOT_FOUND: NOT_FOUND,
  BUNDLE_INVALID: USAGE,
  BACKUP_INVALID: DAMAGED,
  LIMIT_EXCEEDED: to(status.RESOURCE_EXHAUSTED, EXIT.refused),
  CLOCK_SKEW: to(status.FAILED_PRECONDITION, EXIT.refused),
  TOKEN_MALFORMED: USAGE,
  TOKEN_EXPIRED: REFUSED,
  TOKEN_USED: REFUSED,
  TOKEN_REVOKED: REFUSED,
  TOKEN_UNKNOWN: REFUSED,
  TOKEN_FOREIGN: REFUSED,
  JOIN_REFUSED: REFUSED,
  PEER_UNREACHABLE: UNAVAILABLE,
  PROTOCOL_VIOLATION: INTERNAL,
  VERSION_UNSUPPORTED: PRECONDITION,
  SYNC_FAILED: UNAVAILABLE,
  BOOTSTRAP_FAILED: UNAVAILABLE,
  DATA_DIR_LOCKED: PRECONDITION,
  DATA_DIR_UNUSABLE: PRECONDITION,
  IDENTITY_UNREADABLE: PRECONDITION,
  IDENTITY_EXPOSED: to(status.FAILED_PRECONDITION, EXIT.refused),
  IDENTITY_DAMAGED: DAMAGED,
  IDENTITY_FOREIGN: DAMAGED,
  LOG_DAMAGED: DAMAGED,
  STATE_DAMAGED: DAMAGED,
  SNAPSHOT_GONE: PRECONDITION,
  PRUNED: PRECONDITION,
  BASE_UNKNOWN: PRECONDITION,
  DATABASE_DAMAGED: DAMAGED,
  DISK_FULL: to(status.RESOURCE_EXHAUSTED, EXIT.failed),
  STORAGE_FAILED: INTERNAL,
  SCHEMA_TOO_NEW: PRECONDITION,
  PROJECTION_STALLED: PRECONDITION,
  DAEMON_UNREACHABLE: to(status.UNAVAILABLE, EXIT.noDaemon),
  ALREADY_RUNNING: PRECONDITION,
}

/** The exit code for a failure of any kind. */
export function exitCodeOf(code: LatticeErrorCode): ExitCode {
  return ERROR_TABLE[code].exit
}
