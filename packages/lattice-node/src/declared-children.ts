/**
 * What open stores declare of their children, compared with what is recorded here.
 *
 * Level-triggered: it looks at the tables as they are, so an event that was missed or came twice changes nothing.
 *
 * @module
 */
import { idKey } from '@lattice/model'
import { type ChildEntry, readChildren } from '@lattice/systemstore'
import type { MetaStoreState } from './meta-db.ts'
import type { StoreEntry } from './store-entry.ts'

/** Children of one store that are opened: bounds what one admin can make every node hold. */
export const MAX_CHILDREN = 4096

/** Something recorded that has to change. */
export type ChildChange =
  | { readonly kind: 'appeared'; readonly parent: StoreEntry; readonly child: ChildEntry }
  | { readonly kind: 'state'; readonly entry: StoreEntry; readonly state: MetaStoreState }

/** Every difference between declared and recorded children of the stores in use. */
export function compareChildren(entries: ReadonlyMap<string, StoreEntry>): ChildChange[] {
  const changes: ChildChange[] = []
  for (const parent of entries.values()) {
    if (!parent.ready || parent.open === undefined) continue
    let count = 0
    for (const child of readChildren(parent.open.kernel.tables().system)) {
      count += 1
      if (count > MAX_CHILDREN) break
      const change = compareChild(entries, parent, child)
      if (change !== undefined) changes.push(change)
    }
  }
  return changes
}

function compareChild(
  entries: ReadonlyMap<string, StoreEntry>,
  parent: StoreEntry,
  child: ChildEntry,
): ChildChange | undefined {
  const entry = entries.get(idKey(child.child))
  if (entry === undefined) return child.status === 'active' ? { kind: 'appeared', parent, child } : undefined
  const state = nextState(entry.record.state, child.status)
  return state === entry.record.state ? undefined : { kind: 'state', entry, state }
}

/** What a recorded child becomes by what its parent declares. */
function nextState(state: MetaStoreState, status: ChildEntry['status']): MetaStoreState {
  switch (status) {
    case 'active':
      return state === 'archived' ? 'active' : state
    case 'archived':
      // One that is not all here yet stays what it is: archived would mean that its data is kept.
      return state === 'active' ? 'archived' : state
    case 'destroyed':
      return 'destroyed'
  }
}
