/**
 * Which peers were last seen with the very set that this node holds.
 *
 * "Synced" is said of equal digests only: an exchange that ended equal counts for the fingerprint it ended with, and no
 * longer once either side is known to have moved on.
 *
 * @module
 */
import { equalBytes, idKey, type IdKey, type PublicKey, type StoreId } from '@lattice/model'

export interface SyncTracker {
  /** An exchange ended; `fingerprint` is what this node holds now, undefined when the sets differed. */
  readonly ended: (storeId: StoreId, peer: PublicKey, fingerprint: Uint8Array | undefined) => void
  readonly forgetPeer: (peer: PublicKey) => void
  readonly isSynced: (storeId: StoreId, peer: PublicKey, fingerprint: Uint8Array) => boolean
}

/** Starts knowing nothing. Holds as many entries as there are pairs of a store and a connected peer. */
export function createSyncTracker(): SyncTracker {
  const byPeer = new Map<IdKey, Map<IdKey, Uint8Array>>()
  return {
    ended: (storeId, peer, fingerprint) => {
      const key = idKey(peer)
      const stores = byPeer.get(key) ?? new Map<IdKey, Uint8Array>()
      if (fingerprint === undefined) stores.delete(idKey(storeId))
      else stores.set(idKey(storeId), fingerprint)
      byPeer.set(key, stores)
    },
    forgetPeer: (peer) => {
      byPeer.delete(idKey(peer))
    },
    isSynced: (storeId, peer, fingerprint) => {
      const known = byPeer.get(idKey(peer))?.get(idKey(storeId))
      return known !== undefined && equalBytes(known, fingerprint)
    },
  }
}
