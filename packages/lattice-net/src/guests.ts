/**
 * Connections that are kept only for as long as something needs them: those made to look after a peer that is no neighbour.
 *
 * One ends once nothing runs over it and nothing waits to. A peer that always has something to do holds its connection for
 * a bounded time; what is left is exchanged by difference when it is looked at next.
 *
 * @module
 */
import type { PublicKey } from '@lattice/model'
import { GUEST_MAX_MS, GUEST_MIN_MS, LET_GO } from './limits.ts'
import type { PeerLink } from './peer-link.ts'

export interface Guests {
  /** The connection was made for one purpose; idempotent. */
  readonly add: (link: PeerLink) => void
  /** Lets go of those that are of no more use. */
  readonly review: () => void
}

export interface GuestsOptions {
  readonly nowMs: () => number
  /** True for a peer that this node stays connected to in any case. */
  readonly isKept: (peer: PublicKey) => boolean
  /** True while a session with the peer waits to start. */
  readonly isWaiting: (peer: PublicKey) => boolean
  readonly close: (link: PeerLink, message: string) => void
}

/** Starts without guests. */
export function createGuests({ nowMs, isKept, isWaiting, close }: GuestsOptions): Guests {
  const guests = new Set<PeerLink>()
  return {
    add: (link) => {
      guests.add(link)
    },
    review: () => {
      for (const link of guests) {
        const ageMs = nowMs() - link.sinceMs
        const isBusy = ageMs < GUEST_MIN_MS || link.active() || isWaiting(link.peer)
        const isDone = link.signal.aborted || isKept(link.peer)
        if (!isDone && isBusy && ageMs < GUEST_MAX_MS) continue
        guests.delete(link)
        if (!isDone) close(link, LET_GO)
      }
    },
  }
}
