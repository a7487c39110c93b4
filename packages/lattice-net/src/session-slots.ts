/**
 * At most one reconcile session per peer and store, whoever started it.
 *
 * When both sides start one at the same moment, the one started by the smaller key goes on: each side knows both keys, so
 * both keep the same one, and the other joins its outcome.
 *
 * @module
 */
import { compareBytes, type IdKey, idKey, type PublicKey, type StoreId } from '@lattice/model'
import type { SyncOutcome } from './network-event.ts'

/** The `Map` key of a peer and a store. */
export function pairKey(peer: PublicKey, storeId: StoreId): string {
  return idKey(peer) + idKey(storeId)
}

export interface Slot {
  readonly storeId: StoreId
  readonly peer: PublicKey
  readonly started: 'here' | 'there'
  /** Settles with the session; never rejects. */
  readonly outcome: Promise<SyncOutcome>
  /** Ends the slot and settles the outcome. Idempotent. */
  readonly end: (outcome: SyncOutcome) => void
}

export interface SessionSlots {
  /** Takes the slot for a session of this side; undefined while another is under way. */
  readonly begin: (peer: PublicKey, storeId: StoreId) => Slot | undefined
  /** Takes the slot for a session of the peer; undefined when one of this side, or an earlier one, goes first. */
  readonly accept: (peer: PublicKey, storeId: StoreId) => Slot | undefined
  readonly current: (peer: PublicKey, storeId: StoreId) => Slot | undefined
  readonly ofStore: (storeId: StoreId) => readonly Slot[]
  readonly countHere: (peer?: PublicKey) => number
}

export interface SlotEvents {
  readonly onBegin: (peer: PublicKey, storeId: StoreId) => void
  readonly onEnd: (peer: PublicKey, storeId: StoreId) => void
}

/** Starts without sessions. `self` is this node's key. */
export function createSessionSlots(self: PublicKey, { onBegin, onEnd }: SlotEvents): SessionSlots {
  // A peer's session that goes first takes the place of ours, which ends by the peer's refusal.
  const slots = new Map<string, Slot>()

  function take(peer: PublicKey, storeId: StoreId, started: Slot['started']): Slot {
    const key = pairKey(peer, storeId)
    let settle: ((outcome: SyncOutcome) => void) | undefined
    const outcome = new Promise<SyncOutcome>((resolve) => {
      settle = resolve
    })
    const slot: Slot = {
      storeId,
      peer,
      started,
      outcome,
      end: (result) => {
        settle?.(result)
        if (slots.get(key) !== slot) return
        slots.delete(key)
        onEnd(peer, storeId)
      },
    }
    const fresh = !slots.has(key)
    slots.set(key, slot)
    if (fresh) onBegin(peer, storeId)
    return slot
  }

  return {
    begin: (peer, storeId) => (slots.has(pairKey(peer, storeId)) ? undefined : take(peer, storeId, 'here')),
    accept: (peer, storeId) => {
      const current = slots.get(pairKey(peer, storeId))
      if (current !== undefined && (current.started === 'there' || compareBytes(self, peer) < 0)) return undefined
      return take(peer, storeId, 'there')
    },
    current: (peer, storeId) => slots.get(pairKey(peer, storeId)),
    ofStore: (storeId) => {
      const store: IdKey = idKey(storeId)
      return [...slots.values()].filter((slot) => idKey(slot.storeId) === store)
    },
    countHere: (peer) => {
      const wanted = peer === undefined ? undefined : idKey(peer)
      let count = 0
      for (const slot of slots.values()) {
        if (slot.started === 'here' && (wanted === undefined || idKey(slot.peer) === wanted)) count += 1
      }
      return count
    },
  }
}
