/**
 * Tells whoever follows the node what changed among a store's peers and invites.
 *
 * An event is a difference of what is shown: each is told once, however many operations led to it, and one that changes
 * nothing is not told. What was so when the store came into use is not news, so a joiner is not told the store's history.
 * Remembered is one line per peer and one count per invite of the table, which is what the table itself holds of them.
 *
 * @module
 */
import { equalBytes, idKey, type IdKey, type PublicKey } from '@lattice/model'
import type { ProjectedNotice } from '@lattice/kernel'
import {
  type InviteEntry,
  type PeerEntry,
  readInvite,
  readInvites,
  readPeer,
  readPeers,
  type SystemEvent,
} from '@lattice/systemstore'
import type { NodeContext } from './node-context.ts'
import type { OpenStore } from './open-store.ts'
import { PEER_STATUS, ROLE } from './store-views.ts'

type PublishContext = Pick<NodeContext, 'publish'>

/** Follows a store that came into use; ends with its kernel. */
export function publishEvents(context: PublishContext, { kernel }: Pick<OpenStore, 'kernel'>): void {
  const table = kernel.tables().system
  const peers = new Map<IdKey, string>([...readPeers(table)].map((entry) => [idKey(entry.peer), shownOf(entry)]))
  const claims = new Map<IdKey, readonly PublicKey[]>(
    [...readInvites(table)].map(({ tokenHash, claimedBy }) => [idKey(tokenHash), claimedBy]),
  )

  function tellPeer(entry: PeerEntry): void {
    const key = idKey(entry.peer)
    const shown = shownOf(entry)
    if (peers.get(key) === shown) return
    peers.set(key, shown)
    const { peer, name = '', status, role } = entry
    const event = { storeId: kernel.storeId, peer, name, status: PEER_STATUS[status], role: ROLE[role] }
    context.publish({ kind: 'peer_changed', ...event })
  }
  function tellInvite({ tokenHash, claimedBy, usesLeft }: InviteEntry): void {
    const before = claims.get(idKey(tokenHash)) ?? []
    claims.set(idKey(tokenHash), claimedBy)
    for (const peer of claimedBy) {
      if (before.some((other) => equalBytes(other, peer))) continue
      context.publish({ kind: 'invite_claimed', storeId: kernel.storeId, tokenHash, claimedBy: peer, usesLeft })
    }
  }

  kernel.onProjected((notice) => {
    const { system } = kernel.tables()
    for (const peer of touched(notice, peerOf)) {
      const entry = readPeer(system, peer)
      if (entry !== undefined) tellPeer(entry)
    }
    for (const tokenHash of touched(notice, tokenOf)) {
      const entry = readInvite(system, tokenHash)
      if (entry !== undefined) tellInvite(entry)
    }
  })
}

/** What of a peer is an event's matter. */
function shownOf({ status, role, name = '' }: PeerEntry): string {
  return `${status} ${role} ${name}`
}

/** What the system operations and epochs of a notice are about, each once. */
function touched<Id extends Uint8Array>(
  { ops }: ProjectedNotice,
  about: (event: SystemEvent) => Id | undefined,
): readonly Id[] {
  const ids = new Map<IdKey, Id>()
  for (const { kind, events } of ops) {
    if (kind !== 'system' && kind !== 'epoch') continue
    for (const event of events) {
      const id = isSystemEvent(event) ? about(event) : undefined
      if (id !== undefined) ids.set(idKey(id), id)
    }
  }
  return [...ids.values()]
}

/** The events of system operations are the system layer's, whatever the machine is. */
function isSystemEvent(event: unknown): event is SystemEvent {
  return typeof event === 'object' && event !== null && 'kind' in event
}

function peerOf(event: SystemEvent): PublicKey | undefined {
  switch (event.kind) {
    case 'peer_changed':
      return event.peer.peer
    case 'peer_name_changed':
    case 'peer_revoked':
    case 'peer_demoted':
      return event.peer
    default:
      return undefined
  }
}

function tokenOf(event: SystemEvent): InviteEntry['tokenHash'] | undefined {
  return event.kind === 'invite_changed' ? event.invite.tokenHash : undefined
}
