/**
 * What is shown of a store: its peers, invites, entries, state.
 *
 * @module
 */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { AuthorLag, AuthorTips } from '@lattice/kernel'
import { equalBytes, idKey, type PublicKey, toHex, ZERO_HASH } from '@lattice/model'
import type { NetworkService } from '@lattice/net'
import { system } from '@lattice/proto'
import * as systemstore from '@lattice/systemstore'
import { unsettledEpoch } from './epoch-page.ts'
import type { NodeContext } from './node-context.ts'
import type {
  InviteEntry,
  PeerConduct,
  PeerEntry,
  PeerSync,
  StoreStatus,
  StoreSummary,
  SystemTableEntry,
} from './store-types.ts'
import type { OpenStore } from './open-store.ts'
import { whyHeld } from './write-hold.ts'
import { snapshotBytesOf } from './store-data.ts'
import { countSynced, shownSync } from './sync-state.ts'
import { peerTable, replicaPeers, type TablesOf, writingPeers } from './store-peers.ts'

export const PEER_STATUS: Readonly<Record<systemstore.PeerStatus, system.PeerStatus>> = {
  invited: system.PeerStatus.INVITED,
  active: system.PeerStatus.ACTIVE,
  dormant: system.PeerStatus.DORMANT,
  revoked: system.PeerStatus.REVOKED,
}
export const ROLE: Readonly<Record<systemstore.Role, system.Role>> = {
  none: system.Role.UNSPECIFIED,
  reader: system.Role.READER,
  writer: system.Role.WRITER,
  admin: system.Role.ADMIN,
}
const INVITE_STATUS: Readonly<Record<systemstore.InviteStatus, system.InviteStatus>> = {
  open: system.InviteStatus.OPEN,
  claimed: system.InviteStatus.CLAIMED,
  cancelled: system.InviteStatus.CANCELLED,
}

/** An open store and where its parents are found. */
export interface ViewedStore {
  readonly store: OpenStore
  readonly tablesOf: TablesOf
}

export function viewPeers(context: NodeContext, { store, tablesOf }: ViewedStore): readonly PeerEntry[] {
  const network = context.network()
  const nowMs = context.clock.wallMs()
  const tips = new Map(store.kernel.tips().map(({ author, tips: ends }) => [idKey(author), ends]))
  const table = peerTable(store.kernel.tables(), tablesOf)
  const isRemoved = store.kernel.removal() !== undefined
  return [...(table === undefined ? [] : systemstore.readPeers(table))].map((entry) => {
    const self = equalBytes(entry.peer, context.id)
    // The table of one that was removed while it was away may not say so.
    const isOut = self && entry.status !== 'revoked' && isRemoved
    const presence = network?.presence(entry.peer)
    const ends = tips.get(idKey(entry.peer)) ?? []
    const sync = self ? 'unknown' : shownSync(context, store, entry.peer)
    return {
      publicKey: entry.peer,
      name: entry.name ?? (self ? context.nodeName() : ''),
      status: PEER_STATUS[isOut ? 'revoked' : entry.status],
      role: ROLE[entry.role],
      online: self || presence?.online === true,
      connected: presence?.connected === true,
      self,
      addedAt: entry.addedAt ?? 0,
      addedBy: entry.addedBy,
      lastSeen: self ? nowMs : Math.max(presence?.lastSeenMs ?? 0, lastWrote(ends, nowMs)),
      forked: ends.length > 1,
      forkJoined: ends.length > 1 && ends.filter(({ joined }) => !joined).length === 1,
      sync,
      lag: lagOf(store, entry, { self, sync }),
      conduct: self ? undefined : conductOf(network, entry.peer),
    }
  })
}

function conductOf(network: NetworkService | undefined, peer: PublicKey): PeerConduct | undefined {
  if (network === undefined) return undefined
  const { standing, score, drained, heldBytes, mutedForMs, misbehaviour } = network.diagnosis(peer)
  return { standing, score, drained, heldBytes, mutedForMs, misbehaviour: misbehaviour?.code }
}

/** When a peer wrote last, which is a sign of life that it signed; not beyond now, whatever its clock says. */
function lastWrote(ends: AuthorTips['tips'], nowMs: number): number {
  return Math.min(nowMs, Math.max(0, ...ends.map(({ timestamp }) => timestamp.wall)))
}

/** By equal digests nothing is missing; else by what the peer wrote, where it writes. */
function lagOf(
  { kernel }: OpenStore,
  { peer, role }: systemstore.PeerEntry,
  { self, sync }: { readonly self: boolean; readonly sync: PeerSync },
): AuthorLag | undefined {
  if (self) return undefined
  if (sync === 'synced') return { unseen: 0, unseenSinceMs: undefined }
  return role === 'admin' || role === 'writer' ? kernel.lag(peer) : undefined
}

export function viewInvites(store: OpenStore): readonly InviteEntry[] {
  return [...systemstore.readInvites(store.kernel.tables().system)].map((invite) => ({
    tokenHash: invite.tokenHash,
    status: INVITE_STATUS[invite.status],
    role: ROLE[invite.role],
    expiresAt: invite.expiresAt,
    usesLeft: invite.usesLeft,
    invitedBy: invite.invitedBy,
    claimedBy: invite.claimedBy,
  }))
}

export function viewSystemEntries(store: OpenStore): readonly SystemTableEntry[] {
  return [...systemstore.listSystem(store.kernel.tables().system)].map(({ key, text, raw, conflicted }) => ({
    key,
    // What cannot be decoded is shown as what it is, and hides no other.
    value: text ?? `0x${toHex(raw)}`,
    raw,
    conflicted,
  }))
}

export function viewStatus(context: NodeContext, { store, tablesOf }: ViewedStore, summary: StoreSummary): StoreStatus {
  const { kernel } = store
  const tables = kernel.tables()
  const others = replicaPeers(tables, context.id, tablesOf)
  const { online, connected, synced, differing } = countSynced(context, store, tablesOf)
  const [head] = kernel.history(undefined, 1)
  const writing = writingPeers(tables, tablesOf)
  const directory = context.directory.storePath(store.id)
  return {
    summary,
    stats: kernel.stats(),
    witnessHead: head?.chainHash ?? ZERO_HASH,
    fingerprint: kernel.digest().fingerprint,
    projection: kernel.projection(),
    logBytes: databaseBytes(join(directory, 'log.db')),
    stateBytes: databaseBytes(join(directory, 'state.db')),
    snapshotBytes: snapshotBytesOf(directory),
    strategy: systemstore.readStrategy(tables.system)?.kind ?? 'independent',
    peers: others.length + 1,
    peersOnline: online + 1,
    peersConnected: connected,
    peersSynced: synced,
    peersDiffering: differing,
    stable: kernel.observations(writing).stability.count,
    peersLagging: writing.filter((peer) => !equalBytes(peer, context.id) && isBehind(context, store, peer)).length,
    openForks: kernel.tips().filter(({ tips }) => tips.filter(({ joined }) => !joined).length > 1).length,
    unsettled: unsettledEpoch(store),
    synced: connected > 0 && synced === connected,
    readable: store.machine !== undefined,
    held: whyHeld(context, kernel, tablesOf),
  }
}

/** As `peer_lag` has it: nothing is missing where digests are equal. */
function isBehind(context: NodeContext, store: OpenStore, peer: PublicKey): boolean {
  return shownSync(context, store, peer) !== 'synced' && store.kernel.lag(peer).unseen > 0
}

/** A database with its write-ahead log. */
function databaseBytes(path: string): number {
  return [path, `${path}-wal`].reduce((sum, file) => sum + (existsSync(file) ? statSync(file).size : 0), 0)
}
