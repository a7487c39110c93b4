/**
 * The acts of a store's life: archive, destroy, leave, rejoin, delete.
 *
 * An act checks, and then changes one thing: the parent's table, the own one, or the inventory. What follows from it, on
 * this node and on every other, is the store manager's, which compares and may be interrupted anywhere. So an act that
 * was interrupted was done or was not; asked for again it finds what is so already, and does the rest.
 *
 * @module
 */
import { type AbortSignal, idKey, type StoreId } from '@lattice/model'
import {
  type ChildEntry,
  type ChildStatus,
  destroyStore,
  readChild,
  readDestroyed,
  readPeer,
  readStrategy,
  setChildStatus,
} from '@lattice/systemstore'
import { repairUnderWay, shortId, storeNotFound, storeNotReady } from './errors.ts'
import { finalSync } from './final-sync.ts'
import { notAdmitted, notConfirmed, notRemoved, notReplicated, storeOutOfUse, wrongState } from './life-errors.ts'
import type { NodeContext } from './node-context.ts'
import type { StoreActs } from './store-types.ts'
import type { OpenStore } from './open-store.ts'
import { examineStores, holdAfterDeletion, type StoreFinding, unreplicatedOf } from './prove-stores.ts'
import { bytesOf } from './store-data.ts'
import { outOfUse, stateOf, type StoreEntry, withDescendants } from './store-entry.ts'
import { storeInUse } from './store-in-use.ts'
import type { StoreManager } from './store-manager.ts'
import { peerTable, type TablesOf } from './store-peers.ts'
import { submitSystem } from './submit-system.ts'

export interface StoreActsDeps {
  readonly context: NodeContext
  readonly manager: StoreManager
}

/** The acts of one store. They run one after another, whatever stores they concern, and end with the node. */
export function createStoreActs(deps: StoreActsDeps, id: StoreId): StoreActs {
  const { manager } = deps
  const run = <T>(act: (ending: AbortSignal) => Promise<T>): Promise<T> => manager.acts.run(() => manager.run(act))
  return {
    archive: () => run(() => changeStatus(deps, id, 'archived')),
    unarchive: () => run(() => changeStatus(deps, id, 'active')),
    destroy: () => run(() => destroy(deps, id)),
    leave: ({ force = false, signal } = {}) =>
      run((ending) => {
        const until = signal === undefined ? ending : AbortSignal.any([signal, ending])
        return leave(deps, id, { force, signal: until })
      }),
    rejoin: () => run(() => rejoin(deps, id)),
    deleteData: (options = {}) => run(() => deleteData(deps, id, options)),
  }
}

function entryOf({ manager }: StoreActsDeps, id: StoreId): StoreEntry {
  const entry = manager.entry(id)
  if (entry === undefined) throw storeNotFound(shortId(id))
  if (entry.repairing) throw repairUnderWay(id)
  return entry
}

const WORD = { active: 'unarchive', archived: 'archive', destroyed: 'destroy' } as const

async function changeStatus(deps: StoreActsDeps, id: StoreId, status: 'active' | 'archived'): Promise<void> {
  const entry = entryOf(deps, id)
  const { parent, declared } = declarationOf(deps, entry, WORD[status])
  if (declared.status === 'destroyed') throw storeOutOfUse(id, { state: 'destroyed' })
  if (declared.status !== status) await declare(deps, { parent, id, status })
  await deps.manager.settle()
}

async function destroy(deps: StoreActsDeps, id: StoreId): Promise<void> {
  const entry = entryOf(deps, id)
  if (entry.record.parentId === undefined) return destroyRoot(deps, entry)
  const { parent, declared } = declarationOf(deps, entry, 'destroy')
  if (declared.status === 'active') {
    throw wrongState(id, stateOf(entry), `the store ${shortId(id)} is in use: archive it first, then destroy it`)
  }
  if (declared.status === 'archived') await declare(deps, { parent, id, status: 'destroyed' })
  await deps.manager.settle()
}

interface Declaration {
  readonly parent: OpenStore
  readonly declared: ChildEntry
}

/** The child as its parent declares it, which has to be in use. */
function declarationOf({ manager }: StoreActsDeps, entry: StoreEntry, act: string): Declaration {
  const { id, parentId, state } = entry.record
  if (parentId === undefined) {
    const what = `the store ${shortId(id)} is a root, which cannot be ${act}d: leave it, or destroy it for everybody`
    throw wrongState(id, state, what)
  }
  const parent = storeInUse(manager, parentId)
  const declared = readChild(parent.kernel.tables().system, id)
  if (declared === undefined) throw storeNotReady(id, state)
  return { parent, declared }
}

async function declare(
  { context }: StoreActsDeps,
  { parent, id, status }: { readonly parent: OpenStore; readonly id: StoreId; readonly status: ChildStatus },
): Promise<void> {
  const { id: author } = context
  const write = setChildStatus({ author, child: id, status })
  await submitSystem(parent.kernel, [write], { author, act: `${WORD[status]} child stores` })
}

async function destroyRoot(deps: StoreActsDeps, entry: StoreEntry): Promise<void> {
  const { context, manager } = deps
  const { id, state } = entry.record
  if (state === 'destroyed') return
  const { kernel } = storeInUse(manager, id)
  const { system } = kernel.tables()
  const parent = readStrategy(system)?.parent
  if (parent !== undefined) {
    const what = `the store ${shortId(id)} is a child of ${shortId(parent)}: destroy it on a node that has that store`
    throw wrongState(id, state, what)
  }
  if (!readDestroyed(system)) {
    const { id: author } = context
    await submitSystem(kernel, [destroyStore({ author })], { author, act: 'destroy the store' })
  }
  await manager.settle()
}

async function leave(
  deps: StoreActsDeps,
  id: StoreId,
  { force, signal }: { readonly force: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const { context, manager } = deps
  signal.throwIfAborted()
  const entry = entryOf(deps, id)
  if (entry.record.state === 'left') return
  checkLeavable(entry)
  const affected = withDescendants(manager.entries, entry)
  for (const { repairing, record } of affected) if (repairing) throw repairUnderWay(record.id)
  for (const one of affected) one.leaving = true
  try {
    await finalSync(context, manager, { entries: affected, everybody: true, signal })
    signal.throwIfAborted()
    for (const one of affected) manager.noteReplicated(one)
    // What is still on its way here came from others, who have it.
    const findings = await examineStores(context, manager, affected.filter(mayHoldMore))
    const unreplicated = unreplicatedOf(manager, findings)
    if (unreplicated.length > 0 && !force) throw notReplicated(id, unreplicated)
    manager.setState(entry, 'left')
  } finally {
    for (const one of affected) one.leaving = false
  }
  await manager.settle()
}

function checkLeavable(entry: StoreEntry): void {
  const { id, parentId, state } = entry.record
  const cause = outOfUse(entry)
  if (cause !== undefined) throw storeOutOfUse(id, { state: cause.record.state, cause: cause.record.id })
  if (state === 'creating') throw storeNotReady(id, state)
  // Its own table says so once it is here, its parent's before.
  const strategy = entry.open && readStrategy(entry.open.kernel.tables().system)
  const isDeclaredSo = entry.parent()?.declared?.get(idKey(id))?.independent === true
  const hasOwnPeers =
    parentId === undefined || (strategy === undefined ? isDeclaredSo : strategy.kind === 'independent')
  if (hasOwnPeers) return
  const what = `the store ${shortId(id)} belongs to the store above it: archive it for everybody, or leave its root`
  throw wrongState(id, stateOf(entry), what)
}

/** Own writes may be in it, and its end is not decided. */
function mayHoldMore({ record }: StoreEntry): boolean {
  return record.isComplete && record.state !== 'destroyed'
}

async function rejoin(deps: StoreActsDeps, id: StoreId): Promise<void> {
  const { context, manager } = deps
  const entry = entryOf(deps, id)
  if (entry.record.state !== 'left') {
    throw wrongState(id, stateOf(entry), `the store ${shortId(id)} was not left: there is nothing to rejoin`)
  }
  const above = entry.parent()
  const cause = above && outOfUse(above)
  if (cause !== undefined) throw storeOutOfUse(id, { state: cause.record.state, cause: cause.record.id })
  manager.resume(id)
  await manager.settle()
  const { open, record } = entryOf(deps, id)
  // Nothing is here yet, or it did not open, which is shown with it.
  if (record.state !== 'active' || open === undefined) return
  if (isStillIn(open, context.id, manager.tablesOf)) return
  manager.setState(entry, 'left')
  await manager.settle()
  throw notAdmitted(id)
}

/** False for a peer that the store's peers no longer count among them. */
export function isStillIn(
  { kernel }: { readonly kernel: Pick<OpenStore['kernel'], 'tables'> },
  self: NodeContext['id'],
  tablesOf: TablesOf,
): boolean {
  const table = peerTable(kernel.tables(), tablesOf)
  const status = table && readPeer(table, self)?.status
  return status === 'active' || status === 'dormant'
}

async function deleteData(
  deps: StoreActsDeps,
  id: StoreId,
  { confirmed = false, force = false }: { readonly confirmed?: boolean; readonly force?: boolean },
): Promise<{ readonly bytes: number; readonly stores: number }> {
  const { context, manager } = deps
  const entry = entryOf(deps, id)
  checkOutOfUse(entry)
  if (!confirmed) throw notConfirmed(id)
  const affected = withDescendants(manager.entries, entry)
  for (const { repairing, record } of affected) if (repairing) throw repairUnderWay(record.id)
  await manager.settle()
  const findings = await examineStores(context, manager, affected)
  // Meanwhile it may have been joined anew, or unarchived.
  checkOutOfUse(entry)
  const unreplicated = unreplicatedOf(manager, findings.filter(isNeeded))
  if (unreplicated.length > 0 && !force) throw notReplicated(id, unreplicated)
  const holds = new Map(findings.map((finding) => [finding.entry, holdAfterDeletion(context, finding)]))
  const bytes = affected.reduce((sum, { record }) => sum + bytesOf(context.directory.storePath(record.id)), 0)
  manager.endings.condemn(affected.map((one) => ({ id: one.record.id, hold: holds.get(one) })))
  await manager.settle()
  if (affected.some(({ record }) => record.isDeleting && manager.entry(record.id) !== undefined)) throw notRemoved(id)
  return { bytes, stores: findings.length }
}

function checkOutOfUse(entry: StoreEntry): void {
  if (outOfUse(entry) !== undefined) return
  const { id } = entry.record
  const what = `the store ${shortId(id)} is in use: leave or archive it first, then delete its data`
  throw wrongState(id, stateOf(entry), what)
}

/**
 * The end of a child is known from its parent, so nobody needs its data any more. A root also holds the acks of its end,
 * and others wait for the one of this node.
 */
function isNeeded({ entry }: StoreFinding): boolean {
  const cause = outOfUse(entry)
  if (cause?.record.state !== 'destroyed') return entry.record.isComplete
  return cause.record.parentId === undefined && cause === entry
}
