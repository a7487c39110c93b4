/**
 * What was thrown, as a code and a sentence that can be kept and shown.
 *
 * @module
 */
import { isLatticeError } from '@lattice/model'
import type { StoreFailure } from './store-types.ts'

/** Anything without a code is this node's own trouble. */
export function toFailure(error: unknown): StoreFailure {
  if (isLatticeError(error)) return { code: error.code, message: error.message }
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) }
}
