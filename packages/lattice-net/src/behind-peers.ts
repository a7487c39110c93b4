/**
 * After a round of sessions over a store: who is behind what they brought gets it from here, without having to call.
 *
 * A round is over when no session over the store is under way. What came as messages goes on as messages, and who is told
 * of the rest calls for it; both are left a moment. Whoever is known to be behind even then is put on the agenda once, with a
 * delay by chance like any other difference, and is passed over if it has caught up by its turn.
 *
 * @module
 */
import { type Cancel, type IdKey, idKey, type PublicKey, type Scheduler, type StoreId } from '@lattice/model'
import { comparedWith } from './claimed-digest.ts'
import type { NetworkLimits } from './limits.ts'
import type { SyncOutcome } from './network-event.ts'
import type { PeerDigests } from './peer-digests.ts'
import { sameSet } from './reconcile.ts'
import type { SessionSlots } from './session-slots.ts'
import type { StoreRegistry } from './store-registry.ts'

export interface BehindPeersDeps {
  readonly scheduler: Scheduler
  readonly limits: Pick<NetworkLimits, 'differDelayMs'>
  readonly slots: Pick<SessionSlots, 'ofStore'>
  readonly stores: Pick<StoreRegistry, 'get'>
  /** Peers that are connected. */
  readonly connected: () => readonly PublicKey[]
  readonly peerDigests: Pick<PeerDigests, 'get'>
  readonly request: (peer: PublicKey, storeId: StoreId) => void
}

export interface BehindPeers {
  /** To be told of each session's end, once it is under way no more. */
  readonly ended: (outcome: SyncOutcome) => void
  readonly forgetStore: (storeId: StoreId) => void
  readonly close: () => void
}

/** Starts with nothing brought. State exists only for stores that sessions brought something to. */
export function createBehindPeers(deps: BehindPeersDeps): BehindPeers {
  /** Stores that sessions of the round brought something to; with the end of the moment that others are left after it. */
  const gained = new Map<IdKey, Cancel | undefined>()

  function isBehind(peer: PublicKey, storeId: StoreId): boolean {
    const store = deps.stores.get(storeId)
    const theirs = deps.peerDigests.get(peer, storeId)
    if (store?.access(peer) !== 'full' || theirs === undefined) return false
    const ours = comparedWith(store, theirs)
    return ours !== undefined && theirs.witnessCount < ours.witnessCount && !sameSet(theirs, ours)
  }
  function look(storeId: StoreId): void {
    const key = idKey(storeId)
    gained.set(key, undefined)
    // Another round has begun: its end is waited for.
    if (deps.slots.ofStore(storeId).length > 0) return
    gained.delete(key)
    for (const peer of deps.connected()) if (isBehind(peer, storeId)) deps.request(peer, storeId)
  }
  function forget(key: IdKey): void {
    gained.get(key)?.()
    gained.delete(key)
  }

  return {
    ended: (outcome) => {
      const { storeId } = outcome
      const key = idKey(storeId)
      if (outcome.kind === 'done' && outcome.witnessed > 0 && !gained.has(key)) gained.set(key, undefined)
      if (!gained.has(key) || gained.get(key) !== undefined || deps.slots.ofStore(storeId).length > 0) return
      gained.set(
        key,
        deps.scheduler.after(deps.limits.differDelayMs, () => look(storeId)),
      )
    },
    forgetStore: (storeId) => forget(idKey(storeId)),
    close: () => {
      for (const key of gained.keys()) forget(key)
    },
  }
}
