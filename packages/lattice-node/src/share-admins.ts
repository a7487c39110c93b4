/**
 * Makes the admins of a store's peers its own admins, where it has the peers of its parent.
 *
 * Whether a system operation counts follows from the store's own history, and the parent's is another. So the right has
 * to be given in the store itself: by whoever creates it, and later by any of its admins who meets one that lacks it. Two
 * that do so at once give it twice, which is the same.
 *
 * @module
 */
import type { PublicKey, ReadTable } from '@lattice/model'
import { isAdmin, readPeers, readStrategy, admitPeer, type SystemWrite } from '@lattice/systemstore'
import type { NodeContext } from './node-context.ts'
import type { OpenStore } from './open-store.ts'
import { peerTable, type TablesOf } from './store-peers.ts'
import { submitSystem } from './submit-system.ts'

/** Admins that one intention admits: some 30 KiB, well within what one may hold. */
export const SHARED_ADMINS_BATCH = 256

/** The active admins among the peers that a table holds. */
export type AdminsIn = (table: ReadTable) => readonly PublicKey[]

function readAdmins(table: ReadTable): readonly PublicKey[] {
  return [...readPeers(table)]
    .filter(({ status, role }) => status === 'active' && role === 'admin')
    .map(({ peer }) => peer)
}

/** Reads each table once: for one look at many stores that have the same peers. What changes meanwhile is the next look's. */
export function createAdminReader(): AdminsIn {
  const read = new Map<ReadTable, readonly PublicKey[]>()
  return (table) => {
    const admins = read.get(table) ?? readAdmins(table)
    read.set(table, admins)
    return admins
  }
}

export interface ShareAdminsOptions {
  readonly tablesOf: TablesOf
  /** By default the table is read each time. */
  readonly adminsIn?: AdminsIn
}

/** Gives the right to every active admin of the peers who lacks it, where this node may; resolves once all have it. */
export async function shareAdmins(
  context: NodeContext,
  store: OpenStore,
  { tablesOf, adminsIn = readAdmins }: ShareAdminsOptions,
): Promise<void> {
  for (;;) {
    const writes = owedGrants(context, store, { tablesOf, adminsIn })
    if (writes.length === 0) return
    await submitSystem(store.kernel, writes, { author: context.id, act: 'admit peers' })
  }
}

function owedGrants(
  { id: author, clock }: NodeContext,
  { kernel }: OpenStore,
  { tablesOf, adminsIn }: Required<ShareAdminsOptions>,
): SystemWrite[] {
  const tables = kernel.tables()
  if (readStrategy(tables.system)?.kind !== 'inherited' || !isAdmin(tables.system, author)) return []
  const table = peerTable(tables, tablesOf)
  if (table === undefined) return []
  const addedAt = Math.max(0, Math.floor(clock.wallMs()))
  return adminsIn(table)
    .filter((peer) => !isAdmin(tables.system, peer))
    .slice(0, SHARED_ADMINS_BATCH)
    .map((peer) => admitPeer({ author, peer, role: 'admin', addedAt }))
}
