/**
 * Tells which stores are another than when it was last told: whatever changed them, each change is told once.
 *
 * @module
 */
import { idKey, type IdKey } from '@lattice/model'
import { isSameSummary } from './list-stores.ts'
import type { NodeContext } from './node-context.ts'
import type { StoreSummary } from './store-types.ts'

/** Compares what is listed with what was listed before. Holds one summary per store. */
export function createChangePublisher({
  publish,
}: Pick<NodeContext, 'publish'>): (listed: readonly StoreSummary[]) => void {
  let told = new Map<IdKey, StoreSummary>()
  return (listed) => {
    const now = new Map(listed.map((summary) => [idKey(summary.id), summary]))
    // What is below goes first.
    for (const [key, { id }] of [...told].reverse()) if (!now.has(key)) publish({ kind: 'store_removed', storeId: id })
    for (const [key, summary] of now) {
      const before = told.get(key)
      if (before === undefined || !isSameSummary(before, summary)) publish({ kind: 'store_changed', summary })
    }
    told = now
  }
}
