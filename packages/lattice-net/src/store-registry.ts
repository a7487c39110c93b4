/**
 * The stores this node speaks about, and which of them with whom.
 *
 * A store that is not here and one that is not shared with the asker are the same to everyone who asks.
 *
 * @module
 */
import {
  assert,
  type Cancel,
  createAbortController,
  type AbortController,
  type IdKey,
  idKey,
  type PublicKey,
  type StoreId,
} from '@lattice/model'
import type { ReplicatedStore, WitnessedBatch } from '@lattice/net-types'
import type { SharedStore } from './digest-exchange.ts'
import { StoreNotRegistered } from './errors.ts'
import type { RevokedStore } from './revocation.ts'
import type { SessionStore } from './session-call.ts'
import { type Fail, noSuchStore, revoked } from './session.ts'

export interface StoreRegistry {
  /** A store is registered once at a time. */
  readonly register: (store: ReplicatedStore) => void
  /** Aborts what runs on the store. False when it was not registered. */
  readonly unregister: (storeId: StoreId) => boolean
  readonly ids: () => readonly StoreId[]
  readonly get: (storeId: Uint8Array) => ReplicatedStore | undefined
  /** As the peer may use it; undefined for any other. */
  readonly resolve: (peer: PublicKey, storeId: Uint8Array) => SessionStore | undefined
  /** Aborts when the store is unregistered. */
  readonly signal: (storeId: StoreId) => AbortController['signal']
  /** The stores the peer may use, those with the largest logs first. */
  readonly sharedWith: (peer: PublicKey) => readonly SharedStore[]
  readonly sharesWith: (peer: PublicKey) => boolean
  /** True for a peer of some store, also for one that was removed from it. */
  readonly knows: (peer: PublicKey) => boolean
  /** What a peer that may not use the store is answered: a stranger the same as of one that is not here. */
  readonly refusal: (peer: PublicKey, storeId: Uint8Array) => Fail
  /** Stores that the peer was removed from. */
  readonly revokedFor: (peer: PublicKey) => readonly StoreId[]
  /** The store for a peer that was removed from it, as far as that may see it. */
  readonly revoked: (peer: PublicKey, storeId: Uint8Array, admittedBy: readonly PublicKey[]) => RevokedStore | undefined
  /** What took rights of another peer, or of nobody, and gave them back, for a peer that may use the store. */
  readonly removalOf: (peer: PublicKey, storeId: Uint8Array, whose: PublicKey | undefined) => RevokedStore | undefined
  /** The store for taking in what the peer was asked for, whatever it may do itself. */
  readonly forAsking: (peer: PublicKey, storeId: Uint8Array) => SessionStore | undefined
  readonly clear: () => void
}

interface Registered {
  readonly store: ReplicatedStore
  readonly controller: AbortController
  readonly unsubscribe: Cancel
}

/** What is told of each registered store. */
export interface StoreListeners {
  readonly onWitnessed: (store: ReplicatedStore, batch: WitnessedBatch) => void
  /** Its base is another. */
  readonly onPruned: (store: ReplicatedStore) => void
}

/** Starts empty. */
export function createStoreRegistry({ onWitnessed, onPruned }: StoreListeners): StoreRegistry {
  const stores = new Map<IdKey, Registered>()
  const isShared = (store: ReplicatedStore, peer: PublicKey): boolean => store.access(peer) === 'full'

  const idsWhere = (holds: (store: ReplicatedStore) => boolean): readonly StoreId[] =>
    [...stores.values()].flatMap(({ store }) => (holds(store) ? [store.id] : []))

  function someStore(holds: (store: ReplicatedStore) => boolean): boolean {
    for (const { store } of stores.values()) if (holds(store)) return true
    return false
  }
  function unregister(storeId: StoreId): boolean {
    const key = idKey(storeId)
    const registered = stores.get(key)
    if (registered === undefined) return false
    stores.delete(key)
    registered.unsubscribe()
    registered.controller.abort(new StoreNotRegistered(storeId))
    return true
  }

  return {
    register: (store) => {
      const key = idKey(store.id)
      assert(!stores.has(key), 'a store is registered once at a time')
      const unsubscribes = [
        store.onWitnessed((batch) => onWitnessed(store, batch)),
        store.onPruned(() => onPruned(store)),
      ]
      const unsubscribe = (): void => {
        for (const cancel of unsubscribes) cancel()
      }
      stores.set(key, { store, controller: createAbortController(), unsubscribe })
    },
    unregister,
    ids: () => idsWhere(() => true),
    get: (storeId) => stores.get(idKey(storeId))?.store,
    resolve: (peer, storeId) => {
      const store = stores.get(idKey(storeId))?.store
      if (store === undefined || !isShared(store, peer)) return undefined
      const key = idKey(storeId)
      return viewFor(store, peer, () => stores.get(key)?.store === store && isShared(store, peer))
    },
    ...removalsOf((storeId) => stores.get(idKey(storeId))?.store),
    revokedFor: (peer) => idsWhere((store) => store.access(peer) === 'revoked'),
    signal: (storeId) => {
      const registered = stores.get(idKey(storeId))
      assert(registered !== undefined, 'the store is registered')
      return registered.controller.signal
    },
    sharedWith: (peer) =>
      [...stores.values()]
        .filter(({ store }) => isShared(store, peer))
        .map(({ store }) => ({ store, count: store.digest().witnessCount }))
        .sort((a, b) => b.count - a.count)
        .map(({ store }) => store),
    sharesWith: (peer) => someStore((store) => isShared(store, peer)),
    knows: (peer) => someStore((store) => store.access(peer) !== 'none'),
    clear: () => {
      for (const { store } of stores.values()) unregister(store.id)
    },
  }
}

/** What has to do with removals, of the stores that `find` finds. */
function removalsOf(
  find: (storeId: Uint8Array) => ReplicatedStore | undefined,
): Pick<StoreRegistry, 'refusal' | 'revoked' | 'removalOf' | 'forAsking'> {
  return {
    refusal: (peer, storeId) => (find(storeId)?.access(peer) === 'revoked' ? revoked() : noSuchStore()),
    revoked: (peer, storeId, admittedBy) => {
      const store = find(storeId)
      if (store?.access(peer) !== 'revoked') return undefined
      const allowed = (): boolean => find(storeId) === store && store.access(peer) === 'revoked'
      const { readPast, readFoundation } = store
      const foundation = store.removalFoundation(peer, admittedBy)
      return { epochs: store.revokedBy(peer), foundation, readPast, readFoundation, allowed }
    },
    removalOf: (peer, storeId, whose) => {
      const store = find(storeId)
      if (store?.access(peer) !== 'full') return undefined
      const allowed = (): boolean => find(storeId) === store && store.access(peer) === 'full'
      const epochs = whose === undefined ? [] : store.recordsAbout(whose)
      const { readPast, readFoundation } = store
      return { epochs, foundation: undefined, readPast, readFoundation, allowed }
    },
    forAsking: (peer, storeId) => {
      const store = find(storeId)
      if (store === undefined || store.access(peer) === 'none') return undefined
      return viewFor(store, peer, () => find(storeId) === store)
    },
  }
}

/** A store as one peer may use it, for as long as `allowed` holds. */
export function viewFor(store: ReplicatedStore, peer: PublicKey, allowed: () => boolean): SessionStore {
  return {
    id: store.id,
    digest: store.digest,
    rangeIndex: store.rangeIndex,
    missing: store.missing,
    wanted: store.wanted,
    read: store.read,
    tipOf: store.tipOf,
    readChain: store.readChain,
    chainTips: store.chainTips,
    chainId: store.chainId,
    readSpans: store.readSpans,
    witnessPage: store.witnessPage,
    base: store.base,
    over: store.over,
    readFoundation: store.readFoundation,
    snapshot: store.snapshot,
    readSnapshot: store.readSnapshot,
    ingest: (intentions) => store.ingest(intentions, peer),
    allowed,
    isRevoked: () => store.access(peer) === 'revoked',
  }
}
