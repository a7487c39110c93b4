/**
 * Who has acknowledged that a store is destroyed, and who is waited for.
 *
 * A child's acks are in its parent, a root's in itself. Active peers that write are waited for: readers author nothing,
 * and a dormant peer is away for long. Data goes once nobody is waited for. A root is also the only place where its acks
 * are, so whoever is done with it must know first that the others have them all: by equal digests, also of a peer that
 * left since, or because a peer that had acknowledged says that it has the store no more, which it says only once it knew
 * the same of everybody.
 *
 * @module
 */
import { equalBytes, idKey, type PublicKey } from '@lattice/model'
import { ackChildDestroy, readDestroyAcks, type SystemWrite } from '@lattice/systemstore'
import type { NodeContext } from './node-context.ts'
import type { OpenStore } from './open-store.ts'
import { isEnding, type StoreEntry } from './store-entry.ts'
import { mayWrite, replicaPeers, type TablesOf, writingPeers } from './store-peers.ts'
import { wasToldAll } from './sync-state.ts'

/** Acks of children in one intention. */
export const ACK_BATCH = 256

/** The peers that are waited for before the data of a destroyed store goes; none where that cannot be told. */
export function awaitedPeers(context: NodeContext, entry: StoreEntry, tablesOf: TablesOf): readonly PublicKey[] {
  const silent = unacknowledged(entry, tablesOf) ?? []
  if (silent.length > 0 || entry.record.parentId !== undefined || entry.open === undefined) return silent
  return unawarePeers(context, { entry, store: entry.open, tablesOf })
}

/** True once the data of a destroyed store may go. */
export function isEndKnownToAll(context: NodeContext, entry: StoreEntry, tablesOf: TablesOf): boolean {
  if (!isAcknowledged(entry, tablesOf)) return false
  if (entry.record.parentId !== undefined) return true
  return entry.open !== undefined && unawarePeers(context, { entry, store: entry.open, tablesOf }).length === 0
}

/** True once every peer that is waited for has acknowledged. */
export function isAcknowledged(entry: StoreEntry, tablesOf: TablesOf): boolean {
  return entry.record.state === 'destroyed' && unacknowledged(entry, tablesOf)?.length === 0
}

/** True when this node is to acknowledge the end of the root. */
export function owesRootAck(context: NodeContext, { record, open }: StoreEntry, tablesOf: TablesOf): boolean {
  if (record.state !== 'destroyed' || record.parentId !== undefined || open === undefined) return false
  const tables = open.kernel.tables()
  return !includes(readDestroyAcks(tables.system), context.id) && mayWrite(tables, context.id, tablesOf)
}

/** The acks that this node owes for children of a store, as many as one intention takes. */
export function owedChildAcks(
  { id: author }: NodeContext,
  parent: StoreEntry,
  { children, tablesOf }: { readonly children: readonly StoreEntry[]; readonly tablesOf: TablesOf },
): SystemWrite[] {
  if (!parent.ready || parent.open === undefined || !mayWrite(parent.open.kernel.tables(), author, tablesOf)) return []
  return children
    .filter(({ record, open }) => {
      const declared = parent.declared?.get(idKey(record.id))
      const isOver = record.state === 'destroyed' && open === undefined
      return isOver && declared !== undefined && !includes(declared.destroyAcks, author)
    })
    .slice(0, ACK_BATCH)
    .map(({ record }) => ackChildDestroy({ author, child: record.id }))
}

function unacknowledged(entry: StoreEntry, tablesOf: TablesOf): readonly PublicKey[] | undefined {
  const { parentId, id } = entry.record
  if (parentId === undefined) {
    const tables = isEnding(entry) ? entry.open?.kernel.tables() : undefined
    if (tables === undefined) return undefined
    const acks = readDestroyAcks(tables.system)
    return writingPeers(tables, tablesOf).filter((peer) => !includes(acks, peer))
  }
  const parent = entry.parent()
  const declared = parent?.declared?.get(idKey(id))
  if (parent?.open === undefined || declared === undefined) return undefined
  return writingPeers(parent.open.kernel.tables(), tablesOf).filter((peer) => !includes(declared.destroyAcks, peer))
}

interface Unaware {
  readonly entry: StoreEntry
  readonly store: OpenStore
  readonly tablesOf: TablesOf
}

/** Peers that may not have all acks of a root yet. Of those that do not write, only who is there now is told. */
function unawarePeers(context: NodeContext, { entry, store, tablesOf }: Unaware): readonly PublicKey[] {
  const tables = store.kernel.tables()
  const writing = writingPeers(tables, tablesOf)
  return replicaPeers(tables, context.id, tablesOf).filter((peer) => {
    const isTold = includes(writing, peer) || context.network()?.presence(peer)?.connected === true
    return isTold && !entry.handOn.gone.has(idKey(peer)) && !wasToldAll(context, store, peer)
  })
}

function includes(peers: readonly PublicKey[], peer: PublicKey): boolean {
  return peers.some((other) => equalBytes(other, peer))
}
