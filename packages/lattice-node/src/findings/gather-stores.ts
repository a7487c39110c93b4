/**
 * Gathers what is known of every store, or of one.
 *
 * @module
 */
import { equalBytes, type StoreId } from '@lattice/model'
import { shortId, storeNotFound } from '../errors.ts'
import { listStores } from '../list-stores.ts'
import type { FindingDeps } from './finding-deps.ts'
import { gatherStore, namesOf } from './gather-store.ts'
import type { StoreSnapshot } from './store-snapshot.ts'

/** In the order in which stores are listed. Throws `STORE_NOT_FOUND`. */
export function gatherStores(
  { context, manager }: Pick<FindingDeps, 'context' | 'manager'>,
  wanted: StoreId | undefined,
): readonly StoreSnapshot[] {
  const { tablesOf } = manager
  if (wanted !== undefined && manager.entry(wanted) === undefined) throw storeNotFound(shortId(wanted))
  const open = [...manager.entries.values()].flatMap((entry) => entry.open ?? [])
  const nameOf = namesOf(context, open, tablesOf)
  const isAsked = wanted !== undefined
  return listStores(manager).flatMap((summary) => {
    const entry = manager.entry(summary.id)
    if (entry === undefined || (wanted !== undefined && !equalBytes(wanted, summary.id))) return []
    return [gatherStore(context, { entry, summary, tablesOf, isAsked }, nameOf)]
  })
}
