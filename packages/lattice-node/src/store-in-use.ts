/**
 * A store as it can be used now, or why it cannot.
 *
 * @module
 */
import type { StoreId } from '@lattice/model'
import { shortId, storeFailed, storeNotFound, storeNotReady } from './errors.ts'
import { toFailure } from './failure.ts'
import { storeOutOfUse } from './life-errors.ts'
import type { OpenStore } from './open-store.ts'
import { outOfUse } from './store-entry.ts'
import type { StoreManager } from './store-manager.ts'

/** Throws what keeps the store from being used. */
export function storeInUse(manager: StoreManager, id: StoreId): OpenStore {
  const entry = manager.entry(id)
  if (entry === undefined) throw storeNotFound(shortId(id))
  const cause = outOfUse(entry)
  if (cause !== undefined) throw storeOutOfUse(id, { state: cause.record.state, cause: cause.record.id })
  if (entry.failure !== undefined) throw storeFailed(id, toFailure(entry.failure))
  if (entry.leaving) throw storeNotReady(id, 'being left')
  if (entry.open === undefined || !entry.ready) throw storeNotReady(id, entry.record.state)
  return entry.open
}
