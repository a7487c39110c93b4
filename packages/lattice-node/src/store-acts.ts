/**
 * The acts of a store's life: archive, destroy, leave, rejoin, delete.
 *
 * @module
 */
import { NodeError } from './errors.ts'
import type { StoreActs } from './node-types.ts'

export function createStoreActs(): StoreActs {
  const missing = (): never => {
    throw new NodeError('NOT_SUPPORTED', 'PLACEHOLDER')
  }
  return {
    archive: missing,
    unarchive: missing,
    destroy: missing,
    leave: missing,
    rejoin: missing,
    deleteData: missing,
  }
}
