/**
 * What stores with inherited peers take from the store above: what floats may be admitted by what changed there, and its
 * admins are theirs.
 *
 * @module
 */
import { type IdKey, idKey } from '@lattice/model'
import { toFailure } from './failure.ts'
import type { NodeContext } from './node-context.ts'
import type { OpenStore } from './open-store.ts'
import { type AdminsIn, createAdminReader, shareAdmins } from './share-admins.ts'
import { parentsFirst, type StoreEntry } from './store-entry.ts'
import type { TablesOf } from './store-peers.ts'

export interface ParentFollowerOptions {
  readonly entries: ReadonlyMap<IdKey, StoreEntry>
  readonly tablesOf: TablesOf
}

/** Looks at every open store below those of `changed`. Resolves with false where something is left to be done later. */
export type FollowParents = (changed: ReadonlySet<IdKey>) => Promise<boolean>

export function createParentFollower(
  context: NodeContext,
  { entries, tablesOf }: ParentFollowerOptions,
): FollowParents {
  /** Whose admins were compared with those of its parent since it opened. */
  const sharing = new WeakSet<OpenStore>()
  /** Under which store above, as it was opened, each was looked at last. */
  const seenUnder = new WeakMap<OpenStore, OpenStore>()

  async function share(store: OpenStore, adminsIn: AdminsIn): Promise<boolean> {
    sharing.add(store)
    try {
      await shareAdmins(context, store, { tablesOf, adminsIn })
      return true
    } catch (error) {
      // The store does not take writes now; its other admins do the same, and this one at its next look.
      sharing.delete(store)
      context.logger.warn('store.admins_not_shared', { storeId: store.id, ...toFailure(error) })
      return false
    }
  }

  return async (changedAbove) => {
    const changed = new Set(changedAbove)
    const adminsIn = createAdminReader()
    let isDone = true
    for (const { open, record, ready, parent } of parentsFirst(entries)) {
      if (record.parentId === undefined || open === undefined) continue
      const above = parent()?.open
      const isChanged = changed.has(idKey(record.parentId)) || (above !== undefined && seenUnder.get(open) !== above)
      if (above !== undefined) seenUnder.set(open, above)
      if (isChanged) {
        changed.add(idKey(record.id))
        await open.kernel.recheckFloating()
      }
      // What changed while the store was not open is seen when it is.
      if (!ready || (!isChanged && sharing.has(open))) continue
      if (!(await share(open, adminsIn))) isDone = false
    }
    return isDone
  }
}
