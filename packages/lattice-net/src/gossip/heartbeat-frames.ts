/**
 * Heartbeats as frames, and back.
 *
 * @module
 */
import { err, type IdKey, idKey, ok, readStoreId, type Result, type StoreId } from '@lattice/model'
import type { net } from '@lattice/proto'
import { claimFields } from '../claimed-digest.ts'
import type { FrameInit } from '../frame.ts'
import { HEARTBEAT_STORES_MAX } from '../limits.ts'
import { readClaim } from '../reconcile.ts'
import type { ClaimedDigest } from '../session-call.ts'

/** What the sender holds of one store. */
export interface StoreClaim {
  readonly store: StoreId
  readonly digest: ClaimedDigest
  /** It took in more than it broadcasts: to be reconciled at once. */
  readonly bulk: boolean
}

/** Why a frame is no heartbeat: the sender broke the protocol. */
export type HeartbeatFrameError = 'heartbeat_too_many_stores' | 'heartbeat_malformed' | 'heartbeat_repeated'

/** At most {@link HEARTBEAT_STORES_MAX}; what is more goes with another heartbeat. */
export function heartbeatFrame(claims: readonly StoreClaim[]): FrameInit {
  const stores = claims.map(({ store, digest, bulk }) => ({
    storeId: store,
    ...claimFields(digest),
    bulk,
  }))
  return { case: 'heartbeat', value: { stores } }
}

export function readHeartbeat(frame: net.Heartbeat): Result<readonly StoreClaim[], HeartbeatFrameError> {
  if (frame.stores.length > HEARTBEAT_STORES_MAX) return err('heartbeat_too_many_stores')
  const claims: StoreClaim[] = []
  const named = new Set<IdKey>()
  for (const entry of frame.stores) {
    const [store, digest] = [readStoreId(entry.storeId), readClaim(entry)]
    if (store === undefined || digest === undefined) return err('heartbeat_malformed')
    // Each is looked up, and what it says compared.
    if (named.has(idKey(store))) return err('heartbeat_repeated')
    named.add(idKey(store))
    claims.push({ store, digest, bulk: entry.bulk })
  }
  return ok(claims)
}
