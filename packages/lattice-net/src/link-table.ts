/**
 * One connection per peer.
 *
 * When two peers dial each other at once, both keep the connection that the smaller key dialled, provided that it lives.
 * When a peer dials again later, it has lost the connection that still looks whole here, and the new one takes its place. Strangers, peers that
 * share no store, are let in to join, within bounds. Whoever is not needed is shown out when it does nothing: soon where
 * this node dialled, and late where the peer did, since it may need this node.
 *
 * @module
 */
import { type Cancel, compareBytes, type IdKey, idKey, type PublicKey, type Scheduler } from '@lattice/model'
import { IDLE, MAKING_ROOM, type NetworkLimits, REPLACED } from './limits.ts'
import type { PeerLink } from './peer-link.ts'

export type Admission = 'take' | 'refuse' | 'wait'

export interface LinkTable {
  /**
   * What to do with a new connection: `take` it in, `refuse` it for want of room, or `wait` whether the one that is there,
   * which goes first, is alive.
   */
  readonly admit: (peer: PublicKey, outgoing: boolean) => Admission
  /** An admitted connection, now served. A connection it replaces is closed. */
  readonly add: (link: PeerLink) => void
  /** The connection ended. True when the peer is gone with it. */
  readonly remove: (link: PeerLink) => boolean
  readonly get: (peer: PublicKey) => PeerLink | undefined
  readonly all: () => readonly PeerLink[]
}

export interface LinkTableOptions {
  readonly self: PublicKey
  readonly scheduler: Scheduler
  readonly nowMs: () => number
  readonly limits: Pick<
    NetworkLimits,
    'connections' | 'simultaneousDialMs' | 'releaseMs' | 'incomingIdleMs' | 'strangerIdleMs'
  >
  /** True for a peer that is wanted, or a neighbour. */
  readonly isNeeded: (peer: PublicKey) => boolean
  /** True for a peer that may use some store. */
  readonly isSharing: (peer: PublicKey) => boolean
  readonly close: (link: PeerLink, message: string) => void
}

/** Starts without connections. */
export function createLinkTable(options: LinkTableOptions): LinkTable {
  const { self, scheduler, nowMs, limits, isNeeded, isSharing, close } = options
  const links = new Map<IdKey, PeerLink>()
  const watches = new Map<PeerLink, Cancel>()

  /** How long a peer may be idle that nobody needs here. */
  function allowedMs({ peer, outgoing }: PeerLink): number {
    if (!isSharing(peer)) return limits.strangerIdleMs
    return outgoing ? limits.releaseMs : limits.incomingIdleMs
  }
  /** Shows a peer out once nobody has needed it for long. */
  function watch(link: PeerLink, idleMs = 0): void {
    const cancel = scheduler.after(limits.releaseMs, () => {
      // Between two requests of a bootstrap nothing runs for a moment: that is not idle.
      const quietMs = nowMs() - link.activeMs()
      const idleForMs = isNeeded(link.peer) ? 0 : Math.min(idleMs + limits.releaseMs, quietMs)
      if (idleForMs >= allowedMs(link)) close(link, IDLE)
      else watch(link, idleForMs)
    })
    watches.set(link, cancel)
  }
  function makeRoom(peer: PublicKey): boolean {
    if (links.size < limits.connections) return true
    if (!isNeeded(peer)) return false
    const unneeded = [...links.values()].find((link) => !isNeeded(link.peer))
    if (unneeded === undefined) return false
    close(unneeded, MAKING_ROOM)
    return true
  }

  return {
    admit: (peer, outgoing) => {
      const current = links.get(idKey(peer))
      if (current === undefined || current.signal.aborted) return makeRoom(peer) ? 'take' : 'refuse'
      const isFresh = nowMs() - current.sinceMs < limits.simultaneousDialMs
      const isCurrentKept = current.outgoing === compareBytes(self, peer) < 0
      return isFresh && current.outgoing !== outgoing && isCurrentKept ? 'wait' : 'take'
    },
    add: (link) => {
      const replaced = links.get(link.key)
      links.set(link.key, link)
      watch(link)
      if (replaced !== undefined) close(replaced, REPLACED)
    },
    remove: (link) => {
      watches.get(link)?.()
      watches.delete(link)
      if (links.get(link.key) !== link) return false
      links.delete(link.key)
      return true
    },
    get: (peer) => {
      const link = links.get(idKey(peer))
      return link?.signal.aborted === true ? undefined : link
    },
    all: () => [...links.values()].filter((link) => !link.signal.aborted),
  }
}
