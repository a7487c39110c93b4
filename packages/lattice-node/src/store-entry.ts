/**
 * A store of this node at run time: what is recorded of it, and what is open.
 *
 * @module
 */
import type { AbortController, IdKey, PublicKey, StoreId } from '@lattice/model'
import type { ChildEntry } from '@lattice/systemstore'
import type { StoreRecord } from './meta-db.ts'
import type { Retry } from './retry.ts'
import type { StoreState } from './store-types.ts'
import type { OpenStore } from './open-store.ts'

/** Changed by the store manager alone. */
export interface StoreEntry {
  record: StoreRecord
  /** The store above, as it is now. */
  readonly parent: () => StoreEntry | undefined
  open: OpenStore | undefined
  /** Open, known to the network, and in use. */
  ready: boolean
  /** Known to the network. A destroyed root is that, without being in use, until its end is handed on. */
  registered: boolean
  /** Why it did not open, or cannot go on. */
  failure: unknown
  /** When it is tried again; made with the first failure that may pass. */
  retry: Retry | undefined
  /** Why it was not taken for what its parent declares. */
  refusal: unknown
  /** Its files are being repaired: it is neither opened nor used meanwhile. */
  repairing: boolean
  /** It is about to be left: nothing is written any more, and what is there is handed over. */
  leaving: boolean
  /** It is in use, and this node was removed from it. */
  revoked: boolean
  /** When it was last found that others have cut its history without what was cut here; monotonic. */
  cutApartMs: number | undefined
  /** Its log is on this node. */
  hasData: boolean
  /** The children it declares, while it is in use. */
  declared: ReadonlyMap<IdKey, ChildEntry> | undefined
  /** The parents whose declaration it was found not to bear out. Each names it once per run of the node. */
  readonly disowned: Set<IdKey>
  /** The bootstrap under way. */
  bootstrap: Bootstrap | undefined
  readonly handOn: HandOn
}

/** How far the end of a destroyed root is handed on. */
export interface HandOn {
  /** Something changed since its peers were last asked. */
  isDue: boolean
  isRunning: boolean
  /** Peers that have acknowledged the end and said since that they have the store no more. */
  readonly gone: Set<IdKey>
}

export interface Bootstrap {
  readonly controller: AbortController
  readonly done: Promise<void>
  /** Tries again now: a peer came up. */
  readonly nudge: () => void
  /** Begins anew with what is known now: what failed before counts no more. */
  readonly reset: () => void
  /** The last attempt's failure, until one succeeds. */
  readonly lastFailure: () => unknown
  readonly attempts: () => number
  /** Whom it is fetched from. */
  readonly peers: () => readonly PublicKey[]
  /** Records of the present attempt, once there are any. */
  readonly progress: () => { readonly done: number; readonly total: number } | undefined
}

export interface EntryDeps {
  readonly entryOf: (id: StoreId) => StoreEntry | undefined
  readonly hasData: boolean
}

export function createStoreEntry(record: StoreRecord, { entryOf, hasData }: EntryDeps): StoreEntry {
  const entry: StoreEntry = {
    record,
    parent: () => {
      const { parentId } = entry.record
      return parentId === undefined ? undefined : entryOf(parentId)
    },
    open: undefined,
    ready: false,
    registered: false,
    failure: undefined,
    retry: undefined,
    refusal: undefined,
    repairing: false,
    leaving: false,
    revoked: false,
    cutApartMs: undefined,
    hasData,
    declared: undefined,
    disowned: new Set(),
    bootstrap: undefined,
    handOn: { isDue: true, isRunning: false, gone: new Set() },
  }
  return entry
}

/** States in which a store is not in use, and with it all below it; the gravest first. */
const OUT_OF_USE = ['destroyed', 'left', 'archived'] as const

/** The store itself, or the one above it, that keeps it out of use; of several the gravest. Undefined while none does. */
export function outOfUse(entry: StoreEntry): StoreEntry | undefined {
  const line = withAncestors(entry)
  for (const state of OUT_OF_USE) {
    const found = line.find(({ record }) => record.state === state)
    if (found !== undefined) return found
  }
  return undefined
}

/** The state a store is in for its users: that of a store above it where that is out of use. */
export function stateOf(entry: StoreEntry): StoreState {
  const cause = outOfUse(entry)
  if (cause !== undefined) return cause.record.state
  if (entry.failure !== undefined) return 'failed'
  return entry.revoked ? 'revoked' : entry.record.state
}

/** It is to be open and to go on by itself. */
export function isWanted(entry: StoreEntry): boolean {
  const { failure, repairing, record } = entry
  return failure === undefined && !repairing && !record.isDeleting && outOfUse(entry) === undefined
}

/**
 * Archived or destroyed by a declaration that was never borne out here, as the store was not all here: any admin may
 * declare any id, so that must not keep out who was invited to it.
 */
export function isOnlyDeclaredEnded({ record }: StoreEntry): boolean {
  const { state, parentId, isComplete, isDeleting } = record
  const isEnded = state === 'archived' || state === 'destroyed'
  return isEnded && parentId !== undefined && !isComplete && !isDeleting
}

/** A destroyed root that is here: it is replicated until every peer that writes knows its end. */
export function isEnding({ record, hasData, failure, repairing }: StoreEntry): boolean {
  const { state, parentId, isDeleting } = record
  return (
    state === 'destroyed' && parentId === undefined && hasData && !isDeleting && !repairing && failure === undefined
  )
}

/** The store and those above it, from the bottom up. Total: a cycle ends where it is met again. */
export function withAncestors(entry: StoreEntry): StoreEntry[] {
  const line = new Set<StoreEntry>()
  for (let at: StoreEntry | undefined = entry; at !== undefined && !line.has(at); at = at.parent()) line.add(at)
  return [...line]
}

/** The store and everything below it, each after its parent. */
export function withDescendants(entries: ReadonlyMap<IdKey, StoreEntry>, top: StoreEntry): StoreEntry[] {
  const found = new Set([top])
  for (const entry of parentsFirst(entries)) {
    const parent = entry.parent()
    if (parent !== undefined && found.has(parent)) found.add(entry)
  }
  return [...found]
}

/** Every store after its parent. */
export function parentsFirst(entries: ReadonlyMap<IdKey, StoreEntry>): StoreEntry[] {
  const ordered = new Set<StoreEntry>()
  for (const entry of entries.values()) {
    const line: StoreEntry[] = []
    const seen = new Set<StoreEntry>()
    for (
      let at: StoreEntry | undefined = entry;
      at !== undefined && !ordered.has(at) && !seen.has(at);
      at = at.parent()
    ) {
      seen.add(at)
      line.push(at)
    }
    for (const next of line.reverse()) ordered.add(next)
  }
  return [...ordered]
}
