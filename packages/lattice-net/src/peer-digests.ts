/**
 * What each connected peer last said that it holds of each store.
 *
 * Pushes, their answers and sessions travel on streams of their own and may overtake each other. While a connection lasts,
 * the witnessed set of a peer only grows, so of two claims the one that counts fewer is the older and changes nothing.
 * Entries exist only for connected peers and registered stores: that is their bound.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey, type StoreId } from '@lattice/model'
import type { ClaimedDigest } from './session-call.ts'

export interface PeerDigests {
  readonly note: (peer: PublicKey, storeId: StoreId, digest: ClaimedDigest) => void
  readonly get: (peer: PublicKey, storeId: StoreId) => ClaimedDigest | undefined
  /** The peer is gone, or begins anew. */
  readonly forgetPeer: (peer: PublicKey) => void
  readonly forgetStore: (storeId: StoreId) => void
  /** The peer says that it does not have the store. */
  readonly forget: (peer: PublicKey, storeId: StoreId) => void
}

/** Starts knowing nothing. */
export function createPeerDigests(): PeerDigests {
  const byPeer = new Map<IdKey, Map<IdKey, ClaimedDigest>>()
  return {
    note: (peer, storeId, digest) => {
      const key = idKey(peer)
      const stores = byPeer.get(key) ?? new Map<IdKey, ClaimedDigest>()
      byPeer.set(key, stores)
      const known = stores.get(idKey(storeId))
      if (known === undefined || digest.witnessCount >= known.witnessCount) stores.set(idKey(storeId), digest)
    },
    get: (peer, storeId) => byPeer.get(idKey(peer))?.get(idKey(storeId)),
    forgetPeer: (peer) => {
      byPeer.delete(idKey(peer))
    },
    forgetStore: (storeId) => {
      for (const stores of byPeer.values()) stores.delete(idKey(storeId))
    },
    forget: (peer, storeId) => {
      byPeer.get(idKey(peer))?.delete(idKey(storeId))
    },
  }
}
