/**
 * Who is known to hold one message, in the order in which they said so.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey, type StoreId } from '@lattice/model'
import { ANNOUNCERS_MAX } from '../limits.ts'

/** A peer that holds a message. */
export interface Announcer {
  readonly peer: PublicKey
  /** Where it says the message belongs; whether that is so, the store it is delivered to finds out. */
  readonly store: StoreId
  /** Hops of the message by way of this peer. */
  readonly round: number
  /** It sent the message itself, so that its link is one too many. */
  readonly sentCopy: boolean
}

/** Bounded; whoever comes beyond it is not needed. */
export class Announcers {
  readonly #announcers = new Map<IdKey, Announcer>()

  add(announcer: Announcer): void {
    const key = idKey(announcer.peer)
    const known = this.#announcers.get(key)
    if (known === undefined && this.#announcers.size >= ANNOUNCERS_MAX) return
    this.#announcers.set(key, known?.sentCopy === true ? known : announcer)
  }
  delete(peer: PublicKey): void {
    this.#announcers.delete(idKey(peer))
  }
  list(): readonly Announcer[] {
    return [...this.#announcers.values()]
  }
}
