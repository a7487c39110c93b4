/**
 * What was thrown, as a code and a sentence that can be kept and shown, and whether it may pass by itself.
 *
 * @module
 */
import { isLatticeError, type LatticeErrorCode } from '@lattice/model'
import type { StoreFailure } from './store-types.ts'

/** Codes of failures that say that what is on disk is not what was written. */
export const DAMAGE_CODES: ReadonlySet<LatticeErrorCode> = new Set(['LOG_DAMAGED', 'STATE_DAMAGED', 'DATABASE_DAMAGED'])

/** What no time mends: the files, or this program, have to be others. */
const LASTING_CODES: ReadonlySet<LatticeErrorCode> = new Set([...DAMAGE_CODES, 'SCHEMA_TOO_NEW', 'INTERNAL'])

/** Anything without a code is this node's own trouble. */
export function toFailure(error: unknown): StoreFailure {
  if (isLatticeError(error)) return { code: error.code, message: error.message }
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) }
}

/** True for what may be over without anybody touching the node: a full disk, a clock that is ahead. */
export function isPassing(error: unknown): boolean {
  return isPassingCode(toFailure(error).code)
}

/** The same, of what was kept of a failure. */
export function isPassingCode(code: LatticeErrorCode): boolean {
  return !LASTING_CODES.has(code)
}

/** The failure of something that is tried again where that may help, said so. */
export function toRetriedFailure(error: unknown): StoreFailure {
  const { code, message } = toFailure(error)
  return { code, message: isPassingCode(code) ? `${message} (it is tried again in the background)` : message }
}
