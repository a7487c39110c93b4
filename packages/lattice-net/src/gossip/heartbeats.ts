/**
 * Heartbeats: what each neighbour is told of the stores that changed, now and then and soon after a change.
 *
 * A digest is told to a neighbour once: whatever protocol told it, a heartbeat does not repeat it. So an idle node says a
 * few bytes at each interval, however many stores it has.
 *
 * @module
 */
import { type Cancel, type IdKey, idKey, type PublicKey, type Scheduler, type StoreId } from '@lattice/model'
import type { FrameInit } from '../frame.ts'
import { HEARTBEAT_STORES_MAX, type NetworkLimits } from '../limits.ts'
import { sameSet } from '../reconcile.ts'
import type { ClaimedDigest } from '../session-call.ts'
import { heartbeatFrame, type StoreClaim } from './heartbeat-frames.ts'

export interface Heartbeats {
  /** A neighbour is there. `everything`: it may have missed what it was told, and is told of all stores. */
  readonly begin: (peer: PublicKey, everything: boolean) => void
  readonly end: (peer: PublicKey) => void
  /** The store changed. `bulk`, and not by what comes as messages: everybody but its source is told at once. */
  readonly changed: (storeId: StoreId, bulk?: { readonly source: PublicKey | undefined }) => void
  /** The peer was told in another way. */
  readonly told: (peer: PublicKey, storeId: StoreId, digest: ClaimedDigest) => void
  readonly forgetStore: (storeId: StoreId) => void
  readonly close: () => void
}

export interface HeartbeatsOptions {
  readonly scheduler: Scheduler
  readonly limits: Pick<NetworkLimits, 'heartbeatMs' | 'heartbeatDelayMs' | 'gapDelayMs'>
  /** What the store adds up to; undefined where the peer may not know. */
  readonly digest: (peer: PublicKey, storeId: StoreId) => ClaimedDigest | undefined
  /** Every store the peer may know of. */
  readonly shared: (peer: PublicKey) => readonly StoreId[]
  readonly send: (peer: PublicKey, frame: FrameInit) => void
}

interface Neighbour {
  readonly peer: PublicKey
  readonly told: Map<IdKey, ClaimedDigest>
  /** Stores that changed since; true for those to be reconciled at once. */
  readonly changed: Map<IdKey, { readonly storeId: StoreId; readonly bulk: boolean }>
  cancelRegular: Cancel
  early: { readonly cancel: Cancel; readonly bulk: boolean } | undefined
}

/** Starts without neighbours. */
export function createHeartbeats({ scheduler, limits, digest, shared, send }: HeartbeatsOptions): Heartbeats {
  const neighbours = new Map<IdKey, Neighbour>()
  let isClosed = false

  function beat(neighbour: Neighbour): void {
    const { peer, told, changed } = neighbour
    neighbour.cancelRegular()
    neighbour.early?.cancel()
    neighbour.early = undefined
    neighbour.cancelRegular = scheduler.after(limits.heartbeatMs, () => beat(neighbour))
    const claims: StoreClaim[] = []
    for (const [key, { storeId, bulk }] of changed) {
      const ours = digest(peer, storeId)
      const before = told.get(key)
      if (ours === undefined || (before !== undefined && sameSet(before, ours) && !bulk)) continue
      told.set(key, ours)
      claims.push({ store: storeId, digest: ours, bulk })
    }
    changed.clear()
    for (let begin = 0; begin === 0 || begin < claims.length; begin += HEARTBEAT_STORES_MAX) {
      send(peer, heartbeatFrame(claims.slice(begin, begin + HEARTBEAT_STORES_MAX)))
    }
  }
  function hasten(neighbour: Neighbour, bulk: boolean): void {
    if (neighbour.early !== undefined && (neighbour.early.bulk || !bulk)) return
    neighbour.early?.cancel()
    const delayMs = bulk ? limits.gapDelayMs : limits.heartbeatDelayMs
    neighbour.early = { bulk, cancel: scheduler.after(delayMs, () => beat(neighbour)) }
  }
  function end(key: IdKey): void {
    const neighbour = neighbours.get(key)
    neighbour?.cancelRegular()
    neighbour?.early?.cancel()
    neighbours.delete(key)
  }

  return {
    begin: (peer, everything) => {
      end(idKey(peer))
      if (isClosed) return
      const stores = everything ? shared(peer) : []
      const changed = new Map(stores.map((storeId) => [idKey(storeId), { storeId, bulk: false }]))
      const neighbour: Neighbour = { peer, told: new Map(), changed, cancelRegular: () => undefined, early: undefined }
      neighbours.set(idKey(peer), neighbour)
      neighbour.cancelRegular = scheduler.after(limits.heartbeatMs, () => beat(neighbour))
      if (everything) hasten(neighbour, false)
    },
    end: (peer) => end(idKey(peer)),
    changed: (storeId, bulk) => {
      const source = bulk?.source === undefined ? undefined : idKey(bulk.source)
      const key = idKey(storeId)
      for (const [peerKey, neighbour] of neighbours) {
        const isBulk = bulk !== undefined && peerKey !== source
        neighbour.changed.set(key, { storeId, bulk: isBulk || neighbour.changed.get(key)?.bulk === true })
        hasten(neighbour, isBulk)
      }
    },
    told: (peer, storeId, said) => {
      neighbours.get(idKey(peer))?.told.set(idKey(storeId), said)
    },
    forgetStore: (storeId) => {
      for (const { told, changed } of neighbours.values()) {
        told.delete(idKey(storeId))
        changed.delete(idKey(storeId))
      }
    },
    close: () => {
      isClosed = true
      for (const key of neighbours.keys()) end(key)
    },
  }
}
