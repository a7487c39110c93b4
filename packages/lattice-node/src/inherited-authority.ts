/**
 * Who may author in a store: its own peers, or with inherited peers also its parent's.
 *
 * Whoever was given the role of a writer there is heard, also after it was taken: where its writes end in this store is said
 * by this store's own epochs, and what it wrote before them arrives at a new peer after the parent does.
 *
 * The parent's table only ever adds to who is heard, and what is refused now is looked at again when the parent changes,
 * so which of the two stores arrives first decides nothing.
 *
 * @module
 */
import type { Authority } from '@lattice/store-base'
import { createSystemAuthority, readStrategy, wasGiven } from '@lattice/systemstore'
import { peerTable, type TablesOf } from './store-peers.ts'

/** The authority of a store whose parent's tables are found by `tablesOf`. */
export function createInheritedAuthority(tablesOf: TablesOf): Authority {
  const own = createSystemAuthority()
  return {
    admits: (tables, author) => {
      if (own.admits(tables, author)) return true
      const system = peerTable(tables, tablesOf)
      return system !== undefined && system !== tables.system && wasGiven(system, author, 'writer')
    },
    admitsByUse: ({ system }) => readStrategy(system)?.kind === 'inherited',
    // A grant of the parent is no intention of this store: only own grants can be cited.
    requiredDeps: own.requiredDeps,
  }
}
