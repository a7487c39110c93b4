/**
 * One connection per peer.
 *
 * When two peers dial each other at once, both keep the connection that the smaller key dialled, provided that it lives.
 * When a peer dials again later, it has lost the connection that still looks whole here, and the new one takes its place. Strangers, peers that
 * share no store, are let in to join, within bounds. Whoever is not needed is shown out when it does nothing: soon where
 * this node dialled, and late where the peer did, since it may need this node.
 *
 * When there is no room, whoever counts least and has done nothing for longest makes it, for anybody who counts more. A
 * stranger also makes room for another: joining takes a moment, so who stays in the way of others is not there to join.
 *
 * @module
 */
import { type Cancel, compareBytes, type IdKey, idKey, type PublicKey, type Scheduler } from '@lattice/model'
import { IDLE, MAKING_ROOM, type NetworkLimits, REPLACED } from './limits.ts'
import type { PeerLink } from './peer-link.ts'

export type Admission = 'take' | 'refuse' | 'wait'

/** How much a connection counts when there is no room: who is a stranger, who has to do with this node, whom it needs. */
const STRANGER = 0
const SHARING = 1
const NEEDED = 2

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
  /** Those being shown out: they take no room any more. */
  const leaving = new Set<PeerLink>()

  function showOut(link: PeerLink, message: string): void {
    leaving.add(link)
    close(link, message)
  }
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
      if (idleForMs >= allowedMs(link)) showOut(link, IDLE)
      else watch(link, idleForMs)
    })
    watches.set(link, cancel)
  }
  function makeRoom(newcomer: Seeker): boolean {
    const staying = [...links.values()].filter((link) => !leaving.has(link))
    if (staying.length < limits.connections) return true
    const yielding = whoYields(newcomer, staying, options)
    if (yielding === undefined) return false
    showOut(yielding, MAKING_ROOM)
    return true
  }

  return {
    admit: (peer, outgoing) => {
      const current = links.get(idKey(peer))
      const isGone = current === undefined || current.signal.aborted || leaving.has(current)
      if (isGone) return makeRoom({ peer, outgoing }) ? 'take' : 'refuse'
      const isFresh = nowMs() - current.sinceMs < limits.simultaneousDialMs
      const isCurrentKept = current.outgoing === compareBytes(self, peer) < 0
      return isFresh && current.outgoing !== outgoing && isCurrentKept ? 'wait' : 'take'
    },
    add: (link) => {
      const replaced = links.get(link.key)
      links.set(link.key, link)
      watch(link)
      if (replaced !== undefined) showOut(replaced, REPLACED)
    },
    remove: (link) => {
      watches.get(link)?.()
      watches.delete(link)
      leaving.delete(link)
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

type Seeker = Pick<PeerLink, 'peer' | 'outgoing'>

/** Who makes room for a newcomer: of those that count least, the one that has done nothing for longest. */
function whoYields(
  newcomer: Seeker,
  there: readonly PeerLink[],
  { isNeeded, isSharing }: Pick<LinkTableOptions, 'isNeeded' | 'isSharing'>,
): PeerLink | undefined {
  // Whom this node dialled it has to do with, also where they share nothing yet: it may be joining there.
  const countOf = ({ peer, outgoing }: Seeker): number =>
    isNeeded(peer) ? NEEDED : outgoing || isSharing(peer) ? SHARING : STRANGER
  let found: { readonly link: PeerLink; readonly count: number } | undefined
  for (const link of there.toSorted((a, b) => a.activeMs() - b.activeMs())) {
    const count = countOf(link)
    if (found === undefined || count < found.count) found = { link, count }
    // None counts less; and to ask costs a look at every store.
    if (count === STRANGER) break
  }
  const count = countOf(newcomer)
  const yields = found !== undefined && (found.count < count || found.count === STRANGER)
  return yields ? found?.link : undefined
}
