/**
 * What each peer last said that it holds of each store.
 *
 * Pushes, their answers and sessions travel on streams of their own and may overtake each other. While a connection lasts,
 * the witnessed set of a peer only grows, so of two claims over one base the one that counts fewer is the older and changes
 * nothing.
 * Entries exist only for connected peers and registered stores: that is their bound. What those said that are not connected
 * any more is kept apart, in a bounded number, the oldest forgotten first: it proves nothing of what they hold now.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey, type StoreId } from '@lattice/model'
import { sameBase } from './claimed-digest.ts'
import { MAX_REMEMBERED_DIGESTS } from './limits.ts'
import type { ClaimedDigest } from './session-call.ts'
import { pairKey } from './session-slots.ts'
import { keepLatest } from './keep-latest.ts'

export interface PeerDigests {
  readonly note: (peer: PublicKey, storeId: StoreId, digest: ClaimedDigest) => void
  readonly get: (peer: PublicKey, storeId: StoreId) => ClaimedDigest | undefined
  /** What it said before its last connection ended. */
  readonly past: (peer: PublicKey, storeId: StoreId) => ClaimedDigest | undefined
  /** Who of those that are not connected held which store then. */
  readonly pastHolders: () => readonly PastHolder[]
  /** What the peer said before is so no more. */
  readonly forgetPast: (peer: PublicKey, storeId: StoreId) => void
  /** The peer begins anew. */
  readonly forgetPeer: (peer: PublicKey) => void
  /** The peer is gone. */
  readonly leave: (peer: PublicKey) => void
  readonly forgetStore: (storeId: StoreId) => void
  /** The peer says that it does not have the store. */
  readonly forget: (peer: PublicKey, storeId: StoreId) => void
}

/** What a peer said before its last connection ended. */
export interface PastHolder {
  readonly peer: PublicKey
  readonly store: IdKey
  readonly digest: ClaimedDigest
}

/** Starts knowing nothing. */
export function createPeerDigests(): PeerDigests {
  const byPeer = new Map<IdKey, Map<IdKey, ClaimedDigest>>()
  const past = new Map<string, PastHolder>()

  function keepPast(held: PastHolder): void {
    keepLatest(past, { key: idKey(held.peer) + held.store, value: held, limit: MAX_REMEMBERED_DIGESTS })
  }

  return {
    note: (peer, storeId, digest) => {
      const key = idKey(peer)
      const stores = byPeer.get(key) ?? new Map<IdKey, ClaimedDigest>()
      byPeer.set(key, stores)
      const known = stores.get(idKey(storeId))
      const isOlder =
        known !== undefined && sameBase(known.base, digest.base) && digest.witnessCount < known.witnessCount
      if (!isOlder) stores.set(idKey(storeId), digest)
    },
    get: (peer, storeId) => byPeer.get(idKey(peer))?.get(idKey(storeId)),
    past: (peer, storeId) => past.get(pairKey(peer, storeId))?.digest,
    pastHolders: () => [...past.values()],
    forgetPast: (peer, storeId) => {
      past.delete(pairKey(peer, storeId))
    },
    forgetPeer: (peer) => {
      byPeer.delete(idKey(peer))
    },
    leave: (peer) => {
      const key = idKey(peer)
      for (const [store, digest] of byPeer.get(key) ?? []) keepPast({ peer, store, digest })
      byPeer.delete(key)
    },
    forgetStore: (storeId) => {
      const store = idKey(storeId)
      for (const stores of byPeer.values()) stores.delete(store)
      for (const key of past.keys()) if (key.endsWith(store)) past.delete(key)
    },
    forget: (peer, storeId) => {
      byPeer.get(idKey(peer))?.delete(idKey(storeId))
      past.delete(pairKey(peer, storeId))
    },
  }
}
