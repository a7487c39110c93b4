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
  /** The neighbour is told soon of these stores, as far as it was not told in another way. */
  readonly tell: (peer: PublicKey, storeIds: readonly StoreId[]) => void
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
  /** Stores that changed since, or that it is still to be told of; true for those to be reconciled at once. */
  readonly changed: Map<IdKey, { readonly storeId: StoreId; readonly bulk: boolean }>
  cancelRegular: Cancel
  early: { readonly cancel: Cancel; readonly bulk: boolean } | undefined
}

/** Starts without neighbours. */
export function createHeartbeats(options: HeartbeatsOptions): Heartbeats {
  return new Beats(options)
}

class Beats implements Heartbeats {
  readonly #options: HeartbeatsOptions
  readonly #neighbours = new Map<IdKey, Neighbour>()
  #isClosed = false

  constructor(options: HeartbeatsOptions) {
    this.#options = options
  }

  begin(peer: PublicKey, everything: boolean): void {
    this.end(peer)
    if (this.#isClosed) return
    const cancelRegular = (): void => undefined
    const neighbour: Neighbour = { peer, told: new Map(), changed: new Map(), cancelRegular, early: undefined }
    this.#neighbours.set(idKey(peer), neighbour)
    this.#armRegular(neighbour)
    if (everything) this.tell(peer, this.#options.shared(peer))
  }
  tell(peer: PublicKey, storeIds: readonly StoreId[]): void {
    const neighbour = this.#neighbours.get(idKey(peer))
    if (neighbour === undefined || storeIds.length === 0) return
    for (const storeId of storeIds) this.#note(neighbour, storeId, false)
    this.#hasten(neighbour, false)
  }
  end(peer: PublicKey): void {
    const neighbour = this.#neighbours.get(idKey(peer))
    neighbour?.cancelRegular()
    neighbour?.early?.cancel()
    this.#neighbours.delete(idKey(peer))
  }
  changed(storeId: StoreId, bulk?: { readonly source: PublicKey | undefined }): void {
    const source = bulk?.source === undefined ? undefined : idKey(bulk.source)
    for (const [peerKey, neighbour] of this.#neighbours) {
      const isBulk = bulk !== undefined && peerKey !== source
      this.#note(neighbour, storeId, isBulk)
      this.#hasten(neighbour, isBulk)
    }
  }
  told(peer: PublicKey, storeId: StoreId, said: ClaimedDigest): void {
    this.#neighbours.get(idKey(peer))?.told.set(idKey(storeId), said)
  }
  forgetStore(storeId: StoreId): void {
    for (const { told, changed } of this.#neighbours.values()) {
      told.delete(idKey(storeId))
      changed.delete(idKey(storeId))
    }
  }
  close(): void {
    this.#isClosed = true
    for (const { peer } of this.#neighbours.values()) this.end(peer)
  }

  /** The neighbour is to be told of the store; at once where anything says so. */
  #note({ changed }: Neighbour, storeId: StoreId, bulk: boolean): void {
    const key = idKey(storeId)
    changed.set(key, { storeId, bulk: bulk || changed.get(key)?.bulk === true })
  }
  /** What is to be told now; from then on it has been. */
  #take({ peer, told, changed }: Neighbour): readonly StoreClaim[] {
    const claims: StoreClaim[] = []
    for (const [key, { storeId, bulk }] of changed) {
      const ours = this.#options.digest(peer, storeId)
      const before = told.get(key)
      if (ours === undefined || (before !== undefined && sameSet(before, ours) && !bulk)) continue
      told.set(key, ours)
      claims.push({ store: storeId, digest: ours, bulk })
    }
    changed.clear()
    return claims
  }
  #beat(neighbour: Neighbour, isRegular: boolean): void {
    neighbour.early?.cancel()
    neighbour.early = undefined
    const claims = this.#take(neighbour)
    if (claims.length === 0 && !isRegular) return
    this.#armRegular(neighbour)
    for (let begin = 0; begin === 0 || begin < claims.length; begin += HEARTBEAT_STORES_MAX) {
      this.#options.send(neighbour.peer, heartbeatFrame(claims.slice(begin, begin + HEARTBEAT_STORES_MAX)))
    }
  }
  #armRegular(neighbour: Neighbour): void {
    const { scheduler, limits } = this.#options
    neighbour.cancelRegular()
    neighbour.cancelRegular = scheduler.after(limits.heartbeatMs, () => this.#beat(neighbour, true))
  }
  #hasten(neighbour: Neighbour, bulk: boolean): void {
    const { scheduler, limits } = this.#options
    if (neighbour.early !== undefined && (neighbour.early.bulk || !bulk)) return
    neighbour.early?.cancel()
    const delayMs = bulk ? limits.gapDelayMs : limits.heartbeatDelayMs
    neighbour.early = { bulk, cancel: scheduler.after(delayMs, () => this.#beat(neighbour, false)) }
  }
}
