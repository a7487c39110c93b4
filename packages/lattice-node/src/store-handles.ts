/**
 * One handle per known store: a handle holds nothing but the id, and looks up what is open when it is used.
 *
 * @module
 */
import type { StoreId } from '@lattice/model'
import { shortId, storeNotFound } from './errors.ts'
import { summaryOf } from './list-stores.ts'
import type { NodeContext } from './node-context.ts'
import type { StoreEntry } from './store-entry.ts'
import { createStoreHandle } from './store-handle.ts'
import type { StoreManager } from './store-manager.ts'
import type { StoreHandle, StoreSummary } from './store-types.ts'

/** Answers the handle of a store, made when it is first asked for. Throws `STORE_NOT_FOUND` for one that is not known. */
export function createStoreHandles(context: NodeContext, manager: StoreManager): (id: StoreId) => StoreHandle {
  const handles = new WeakMap<StoreEntry, StoreHandle>()

  function summarize(id: StoreId): StoreSummary {
    const summary = summaryOf(manager, id)
    if (summary === undefined) throw storeNotFound(shortId(id))
    return summary
  }

  return (id) => {
    const entry = manager.entry(id)
    if (entry === undefined) throw storeNotFound(shortId(id))
    const handle = handles.get(entry) ?? createStoreHandle({ context, manager, summaryOf: summarize }, entry.record.id)
    handles.set(entry, handle)
    return handle
  }
}
