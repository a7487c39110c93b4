/**
 * What follows the genesis of a store that this node creates.
 *
 * Each step looks first whether it has been done, so that a crash between any two is made good at the next start. The
 * store is declared in its parent last: whoever hears of it finds it complete.
 *
 * @module
 */
import { assert, equalBytes, parseStoreType, type StoreId } from '@lattice/model'
import {
  activateSchema,
  addChild,
  admitPeer,
  FIRST_SCHEMA,
  type PeerEntry,
  readChild,
  readPeer,
  readPeers,
  readStrategy,
  setName,
  setPeerDevice,
  setPeerName,
  setPeerStatus,
  setStrategy,
  type Strategy,
  type SystemWrite,
} from '@lattice/systemstore'
import type { ChildStrategy } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import type { OpenStore } from './open-store.ts'
import { shareAdmins } from './share-admins.ts'
import { pathSegment } from './store-names.ts'
import { peerTable, type TablesOf } from './store-peers.ts'
import { submitSystem } from './submit-system.ts'

export interface FinishCreationOptions {
  readonly store: OpenStore
  readonly name: string
  /** The open parent of a child store. */
  readonly parent: OpenStore | undefined
  /** Of a child. */
  readonly strategy: ChildStrategy
  readonly tablesOf: TablesOf
}

/** Peers copied by one intention: with their names some 50 KiB, well within what one may hold. */
export const SNAPSHOT_BATCH = 128

/** Names the store, says whose peers it has, gives it those, and declares it in its parent. */
export async function finishCreation(context: NodeContext, options: FinishCreationOptions): Promise<void> {
  const { store, name, parent, strategy } = options
  const author = context.id
  if (readStrategy(store.kernel.tables().system) === undefined) {
    await submitSystem(store.kernel, firstWrites(context, options), { author, act: 'set up the store' })
  }
  if (parent === undefined) return
  if (strategy === 'snapshot') await copyPeers(context, options, parent)
  await shareAdmins(context, store, { tablesOf: options.tablesOf })
  if (readChild(parent.kernel.tables().system, store.id) !== undefined) return
  const storeType = parseStoreType(store.storeType)
  assert(storeType.ok, 'a created store has a valid type')
  const declaration = addChild({
    author,
    child: store.id,
    alias: pathSegment(name, store.id),
    storeType: storeType.value,
    independent: strategy === 'independent',
  })
  await submitSystem(parent.kernel, [declaration], { author, act: 'add child stores' })
}

function firstWrites(context: NodeContext, { store, name, parent, strategy }: FinishCreationOptions): SystemWrite[] {
  const author = context.id
  const writes: SystemWrite[] = [setStrategy({ author, strategy: strategyOf(strategy, parent?.id) })]
  // Whoever opens it first knows this version; there is nothing older to go on from.
  const { schemaVersion = FIRST_SCHEMA } = store.machine ?? {}
  if (schemaVersion > FIRST_SCHEMA) writes.push(activateSchema({ author, version: schemaVersion }))
  if (name !== '') writes.push(setName({ author, name }))
  const nodeName = context.nodeName()
  const hasOwnPeers = parent === undefined || strategy !== 'inherited'
  if (nodeName !== '' && hasOwnPeers) writes.push(setPeerName({ author, name: nodeName }))
  if (context.device !== '' && hasOwnPeers) writes.push(setPeerDevice({ author, device: context.device }))
  return writes
}

function strategyOf(kind: ChildStrategy, parent: StoreId | undefined): Strategy {
  return parent === undefined ? { kind: 'independent', parent } : { kind, parent }
}

/** Admits the parent's peers that are not in yet, batch by batch. */
async function copyPeers(
  { id: author, clock }: NodeContext,
  { store, tablesOf }: FinishCreationOptions,
  parent: OpenStore,
): Promise<void> {
  const table = peerTable(parent.kernel.tables(), tablesOf)
  assert(table !== undefined, 'a parent in use knows its peers')
  const { system } = store.kernel.tables()
  const lacking = [...readPeers(table)].filter(
    ({ peer, status }) =>
      (status === 'active' || status === 'dormant') &&
      !equalBytes(peer, author) &&
      readPeer(system, peer) === undefined,
  )
  const addedAt = Math.max(0, Math.floor(clock.wallMs()))
  for (let from = 0; from < lacking.length; from += SNAPSHOT_BATCH) {
    const writes = lacking.slice(from, from + SNAPSHOT_BATCH).flatMap((entry) => copyOf(entry, { author, addedAt }))
    if (writes.length > 0) await submitSystem(store.kernel, writes, { author, act: 'admit peers' })
  }
}

function copyOf(
  { peer, status, role, name }: PeerEntry,
  { author, addedAt }: { readonly author: PeerEntry['peer']; readonly addedAt: number },
): SystemWrite[] {
  if (role === 'none') return []
  const writes = [admitPeer({ author, peer, role, addedAt })]
  if (status === 'dormant') writes.push(setPeerStatus({ author, peer, status }))
  if (name !== undefined) writes.push(setPeerName({ author, peer, name }))
  return writes
}
