/**
 * Whose peers count for a store, and who of them may replicate it.
 *
 * A store with inherited peers has none of its own: its parent's count, as they are now, and so on upwards.
 *
 * @module
 */
import { equalBytes, idKey, type IdKey, type PublicKey, type ReadTable, type StoreId } from '@lattice/model'
import type { ReadStoreTables } from '@lattice/store-base'
import { readPeer, readPeers, readPeerStatus, readPeerStatuses, readStrategy } from '@lattice/systemstore'
import type * as systemstore from '@lattice/systemstore'

/** The tables of another open store. */
export type TablesOf = (id: StoreId) => ReadStoreTables | undefined

/** Where a store's peers are. */
export interface PeerHolder {
  /** The store that holds them; undefined for the store itself. */
  readonly id: StoreId | undefined
  /** Its system table; undefined while it is not open. */
  readonly system: ReadTable | undefined
}

/** The store itself, or the nearest above it that has peers of its own. */
export function peerHolder(tables: ReadStoreTables, tablesOf: TablesOf): PeerHolder {
  // Stores that name each other in a circle have nobody's peers.
  const seen = new Set<IdKey>()
  let id: StoreId | undefined
  let current: ReadStoreTables | undefined = tables
  while (current !== undefined) {
    const strategy = readStrategy(current.system)
    if (strategy?.kind !== 'inherited') return { id, system: current.system }
    id = strategy.parent
    if (seen.has(idKey(id))) break
    seen.add(idKey(id))
    current = tablesOf(id)
  }
  return { id, system: undefined }
}

/** The kernel of the store above that a store inherits its peers from; undefined without one, or while that is not open. */
export function kernelAbove<Above>(
  { system }: ReadStoreTables,
  kernelOf: (id: StoreId) => Above | undefined,
): Above | undefined {
  const strategy = readStrategy(system)
  return strategy?.kind === 'inherited' ? kernelOf(strategy.parent) : undefined
}

/** The system table that holds a store's peers; undefined while the parent it inherits from is not open. */
export function peerTable(tables: ReadStoreTables, tablesOf: TablesOf): ReadTable | undefined {
  return peerHolder(tables, tablesOf).system
}

/** True for a peer that takes part in the store: it may read everything, and what it sends is looked at. */
export function isReplicaPeer(tables: ReadStoreTables, peer: PublicKey, tablesOf: TablesOf): boolean {
  const table = peerTable(tables, tablesOf)
  const status = table && readPeerStatus(table, peer)
  return status !== undefined && isTakingPart({ status })
}

/** The peers that take part, this node left out. */
export function replicaPeers(tables: ReadStoreTables, self: PublicKey, tablesOf: TablesOf): PublicKey[] {
  const table = peerTable(tables, tablesOf)
  return table === undefined ? [] : replicaPeersIn(table, self)
}

/** The same of the table that holds the peers: for whoever asks for many stores that have one. */
export function replicaPeersIn(table: ReadTable, self: PublicKey): PublicKey[] {
  return [...readPeerStatuses(table)]
    .filter((entry) => isTakingPart(entry) && !equalBytes(entry.peer, self))
    .map((entry) => entry.peer)
}

/** The peers that are expected to be there: neither away for long, nor this node. */
export function activePeers(tables: ReadStoreTables, self: PublicKey, tablesOf: TablesOf): PublicKey[] {
  const table = peerTable(tables, tablesOf)
  if (table === undefined) return []
  return [...readPeerStatuses(table)]
    .filter(({ status, peer }) => status === 'active' && !equalBytes(peer, self))
    .map(({ peer }) => peer)
}

/** The peers whose acks stability waits for: active, and of a role that writes. */
export function writingPeers(tables: ReadStoreTables, tablesOf: TablesOf): PublicKey[] {
  const table = peerTable(tables, tablesOf)
  if (table === undefined) return []
  return [...readPeers(table)]
    .filter(({ status, role }) => status === 'active' && (role === 'admin' || role === 'writer'))
    .map((entry) => entry.peer)
}

/** True for a peer that writes where it takes part, away or not. */
export function mayWrite(tables: ReadStoreTables, peer: PublicKey, tablesOf: TablesOf): boolean {
  const table = peerTable(tables, tablesOf)
  const entry = table && readPeer(table, peer)
  return entry !== undefined && isTakingPart(entry) && (entry.role === 'admin' || entry.role === 'writer')
}

/** A dormant peer is away, not out. */
function isTakingPart({ status }: Pick<systemstore.PeerEntry, 'status'>): boolean {
  return status === 'active' || status === 'dormant'
}

/**
 * Whom to ask where history is cut: who said that it is, then all that take part, each once. Who is known to be removed has
 * said nothing: others tell it as well, if it is so.
 */
export function tellers(
  told: PublicKey | undefined,
  others: readonly PublicKey[],
  isRemoved: (peer: PublicKey) => boolean,
): readonly PublicKey[] {
  const first = told === undefined || isRemoved(told) ? [] : [told]
  return [...new Map([...first, ...others].map((peer) => [idKey(peer), peer])).values()]
}
