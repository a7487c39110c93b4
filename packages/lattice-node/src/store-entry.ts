/**
 * A store of this node at run time: what is recorded of it, and what is open.
 *
 * @module
 */
import { type AbortController, idKey, type IdKey, type PublicKey } from '@lattice/model'
import type { StoreRecord } from './meta-db.ts'
import type { StoreState } from './node-types.ts'
import type { OpenStore } from './open-store.ts'

/** Changed by the store manager alone. */
export interface StoreEntry {
  record: StoreRecord
  open: OpenStore | undefined
  /** Open, registered with the network, and so in use. */
  ready: boolean
  /** Why it did not open. */
  failure: unknown
  /** Its files are being repaired: it is neither opened nor used meanwhile. */
  repairing: boolean
  /** The bootstrap under way. */
  bootstrap: Bootstrap | undefined
}

export interface Bootstrap {
  readonly controller: AbortController
  readonly done: Promise<void>
  /** Tries again now: a peer came up. */
  readonly nudge: () => void
  /** The last attempt's failure, until one succeeds. */
  readonly lastFailure: () => unknown
  readonly attempts: () => number
  /** Whom it is fetched from. */
  readonly peers: () => readonly PublicKey[]
  /** Records of the present attempt, once there are any. */
  readonly progress: () => { readonly done: number; readonly total: number } | undefined
}

export function createStoreEntry(record: StoreRecord): StoreEntry {
  return { record, open: undefined, ready: false, failure: undefined, repairing: false, bootstrap: undefined }
}

export function stateOf(entry: StoreEntry): StoreState {
  return entry.failure === undefined ? entry.record.state : 'failed'
}

/** Every store after its parent. A cycle, which only an admin could declare, is cut where it is met again. */
export function parentsFirst(entries: ReadonlyMap<IdKey, StoreEntry>): StoreEntry[] {
  const ordered = new Set<StoreEntry>()
  const visit = (entry: StoreEntry, above: ReadonlySet<StoreEntry>): void => {
    const { parentId } = entry.record
    const parent = parentId === undefined ? undefined : entries.get(idKey(parentId))
    if (parent !== undefined && !ordered.has(parent) && !above.has(parent)) visit(parent, new Set([...above, entry]))
    ordered.add(entry)
  }
  for (const entry of entries.values()) visit(entry, new Set())
  return [...ordered]
}
