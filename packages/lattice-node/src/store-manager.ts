/**
 * The one owner of every store's lifecycle on this node.
 *
 * It compares what should be open with what is, and makes the difference go away, one store at a time: after a start,
 * after a store is added, and after any system table changed. Each step can be repeated, so it does not matter why it was
 * woken. A store that does not open is listed with its error and stops no other. A store is in use only once the network
 * knows it; it is unknown to the network before it closes.
 *
 * @module
 */
import { type AbortSignal, createScope, idKey, type IdKey, type PublicKey, type StoreId } from '@lattice/model'
import type { ReadStoreTables } from '@lattice/store-base'
import { startBootstrap } from './bootstrap-store.ts'
import { compareChildren } from './declared-children.ts'
import { NodeError, nodeClosed } from './errors.ts'
import { toFailure } from './failure.ts'
import { finishCreation } from './finish-creation.ts'
import type { StoreRecord } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import { openStore } from './open-store.ts'
import { createStoreEntry, type StoreEntry } from './store-entry.ts'
import { replicaPeers } from './store-peers.ts'

/** Attempts to bootstrap after which whoever waits is told; it goes on in the background. */
export const MAX_AWAITED_ATTEMPTS = 5

export interface StoreManager {
  /** Every known store; changed by the manager alone. */
  readonly entries: ReadonlyMap<IdKey, StoreEntry>
  readonly entry: (id: StoreId) => StoreEntry | undefined
  readonly tablesOf: (id: StoreId) => ReadStoreTables | undefined
  /** Records a store, unless it is known, and sees to it. `peers` are those to bootstrap from. */
  readonly add: (record: StoreRecord, peers?: readonly PublicKey[]) => void
  /** Looks again at everything. Never waits. */
  readonly wake: () => void
  /** Bootstraps that wait for a peer try again. */
  readonly nudge: () => void
  /** Resolves once nothing is left to do but what waits for others. */
  readonly settled: () => Promise<void>
  /** Resolves once the store is in use; rejects when it cannot be, or with `signal.reason`. */
  readonly whenReady: (id: StoreId, signal: AbortSignal) => Promise<void>
  /** Progress of a store's bootstrap, until the returned function is called. */
  readonly onBootstrap: (id: StoreId, listener: (done: number, total: number) => void) => () => void
  /** Closes every store, children first. Idempotent. */
  readonly close: () => Promise<void>
}

export interface StoreManagerOptions {
  /** After every pass: the set of stores in use, or a system table, may have changed. */
  readonly onChanged: () => void
  /** A store came into use. */
  readonly onReady: (entry: StoreEntry) => void
}

/** Starts with what `meta.db` has; nothing is opened before the first wake. */
export function createStoreManager(context: NodeContext, options: StoreManagerOptions): StoreManager {
  const { meta, logger } = context
  const entries = new Map<IdKey, StoreEntry>()
  const waiters = new Set<() => void>()
  const bootstrapListeners = new Map<IdKey, Set<(done: number, total: number) => void>>()
  const changedTables = new Set<IdKey>()
  const scope = createScope('stores', undefined, {
    onFailure: (error) => logger.error('stores.failed', { error }),
  })
  let dirty = false
  let running: Promise<void> | undefined

  for (const record of meta.stores()) entries.set(idKey(record.id), createStoreEntry(record))

  const entryOf = (id: StoreId): StoreEntry | undefined => entries.get(idKey(id))
  const tablesOf = (id: StoreId): ReadStoreTables | undefined => entryOf(id)?.open?.kernel.tables()
  const tellWaiters = (): void => {
    for (const tell of waiters) tell()
  }
  const setState = (entry: StoreEntry, state: StoreRecord['state'], storeType?: string): void => {
    meta.setState(entry.record.id, state, storeType)
    entry.record = { ...entry.record, state, storeType: storeType ?? entry.record.storeType, creation: undefined }
  }

  function wake(): void {
    dirty = true
    if (running !== undefined || scope.signal.aborted) return
    const pass = settle().finally(() => {
      running = undefined
    })
    running = pass
    scope.spawn('settle', () => pass)
  }

  async function settle(): Promise<void> {
    // Lets the caller finish its own step first.
    await Promise.resolve()
    while (dirty && !scope.signal.aborted) {
      dirty = false
      applyDeclarations()
      for (const entry of parentsFirst(entries)) {
        if (scope.signal.aborted) return
        await settleEntry(entry)
      }
      await recheckInherited()
      options.onChanged()
      tellWaiters()
    }
  }

  function applyDeclarations(): void {
    for (const change of compareChildren(entries)) {
      if (change.kind === 'state') setState(change.entry, change.state)
      else {
        const { child, parent } = change
        add({
          id: child.child,
          parentId: parent.record.id,
          storeType: child.storeType,
          state: 'bootstrapping',
          createdAt: context.clock.wallMs(),
          creation: undefined,
        })
      }
    }
  }

  async function settleEntry(entry: StoreEntry): Promise<void> {
    try {
      if (!isWanted(entry)) await closeEntry(entry)
      else await advance(entry)
    } catch (error) {
      if (scope.signal.aborted) return
      const { id } = entry.record
      logger.error('store.failed', { storeId: id, ...toFailure(error) })
      await closeEntry(entry)
      entry.failure = error
    }
  }

  /** Opens the store and takes it to the next state it can reach by itself. */
  async function advance(entry: StoreEntry): Promise<void> {
    if (entry.open !== undefined && isMistyped(entry)) await closeEntry(entry)
    const store = (entry.open ??= await openEntry(entry))
    if (entry.record.state === 'creating') {
      const { parentId, creation } = entry.record
      const parent = parentId === undefined ? undefined : entryOf(parentId)
      // The parent has to be in use to be told of its child; its own turn wakes this one again.
      if (parent !== undefined && !parent.ready) return
      await finishCreation(context, { store, name: creation?.name ?? '', parent: parent?.open })
      setState(entry, 'active', store.storeType)
    }
    if (entry.record.state === 'bootstrapping') entry.bootstrap ??= bootstrapEntry(entry)
    if (entry.record.state === 'active' && !entry.ready) {
      context.network()?.register(store.replicated)
      entry.ready = true
      // Its children, if it declares any, are now to be looked at.
      dirty = true
      context.publish({ kind: 'store_ready', storeId: entry.record.id, storeType: store.storeType })
      options.onReady(entry)
    }
  }

  function openEntry(entry: StoreEntry): ReturnType<typeof openStore> {
    const { id, storeType, creation } = entry.record
    return openStore(context, {
      id,
      storeTypeHint: storeType,
      ...(creation === undefined ? {} : { genesis: creation.genesis }),
      tablesOf,
      onSystemChange: () => {
        changedTables.add(idKey(id))
        wake()
      },
    })
  }

  function bootstrapEntry(entry: StoreEntry): NonNullable<StoreEntry['bootstrap']> {
    const { id, parentId } = entry.record
    const store = entry.open
    if (store === undefined) throw new NodeError('INTERNAL', 'a store is open while it is fetched')
    return startBootstrap(context, {
      store,
      peers: () => {
        const parent = parentId === undefined ? undefined : tablesOf(parentId)
        return [...meta.bootstrapPeers(id), ...(parent === undefined ? [] : replicaPeers(parent, context.id, tablesOf))]
      },
      onProgress: (done, total) => {
        context.publish({ kind: 'bootstrap_progress', storeId: id, done, total })
        for (const listener of bootstrapListeners.get(idKey(id)) ?? []) listener(done, total)
      },
      onDone: () => {
        entry.bootstrap = undefined
        setState(entry, 'active', store.kernel.storeType())
        wake()
      },
      onFailure: tellWaiters,
    })
  }

  async function closeEntry(entry: StoreEntry): Promise<void> {
    const { open, bootstrap } = entry
    if (open === undefined) return
    entry.ready = false
    await context.network()?.unregister(entry.record.id)
    bootstrap?.controller.abort(nodeClosed())
    await bootstrap?.done
    entry.bootstrap = undefined
    entry.open = undefined
    await open.close()
  }

  /** What floats in a store with inherited peers may be admitted by what changed above it. */
  async function recheckInherited(): Promise<void> {
    if (changedTables.size === 0) return
    const changed = new Set(changedTables)
    changedTables.clear()
    for (const entry of parentsFirst(entries)) {
      const { id, parentId } = entry.record
      if (parentId === undefined || !changed.has(idKey(parentId))) continue
      changed.add(idKey(id))
      await entry.open?.kernel.recheckFloating()
    }
  }

  function add(record: StoreRecord, peers: readonly PublicKey[] = []): void {
    if (entryOf(record.id) === undefined) {
      meta.putStore(record, peers)
      entries.set(idKey(record.id), createStoreEntry(record))
    }
    wake()
  }

  function whenReady(id: StoreId, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (outcome: () => void): void => {
        waiters.delete(check)
        signal.removeEventListener('abort', check)
        outcome()
      }
      const check = (): void => {
        const entry = entryOf(id)
        const failure = entry === undefined ? undefined : hopeless(entry)
        if (entry?.ready === true) end(resolve)
        else if (signal.aborted) end(() => reject(signal.reason))
        else if (scope.signal.aborted) end(() => reject(nodeClosed()))
        else if (failure !== undefined) end(() => reject(failure))
      }
      waiters.add(check)
      signal.addEventListener('abort', check)
      check()
    })
  }

  async function close(): Promise<void> {
    const ended = scope.close(nodeClosed())
    for (const entry of entries.values()) entry.bootstrap?.controller.abort(nodeClosed())
    await ended.catch(() => undefined)
    for (const entry of parentsFirst(entries).reverse()) {
      await closeEntry(entry).catch((error: unknown) => logger.error('store.close_failed', { error }))
    }
    tellWaiters()
  }

  return {
    entries,
    entry: entryOf,
    tablesOf,
    add,
    wake,
    nudge: () => {
      for (const entry of entries.values()) entry.bootstrap?.nudge()
    },
    settled: async () => {
      while (running !== undefined) await running
    },
    whenReady,
    onBootstrap: (id, listener) => {
      const key = idKey(id)
      const listeners = bootstrapListeners.get(key) ?? new Set()
      bootstrapListeners.set(key, listeners.add(listener))
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0) bootstrapListeners.delete(key)
      }
    },
    close,
  }
}

function isWanted({ record, failure }: StoreEntry): boolean {
  const { state } = record
  return failure === undefined && (state === 'creating' || state === 'bootstrapping' || state === 'active')
}

/** Opened by a claim of its type that its genesis does not bear out. */
function isMistyped({ open, bootstrap }: StoreEntry): boolean {
  const type = open?.kernel.storeType()
  return open !== undefined && bootstrap === undefined && type !== undefined && type !== open.storeType
}

/** Why waiting for the store is in vain, or no longer worth it. */
function hopeless(entry: StoreEntry): unknown {
  if (entry.failure !== undefined) return entry.failure
  const error = entry.bootstrap?.lastFailure()
  if (entry.bootstrap === undefined || error === undefined) return undefined
  // Without a cause it is the content that was bad; anything else may pass.
  const isPassing = error instanceof Error && error.cause !== undefined
  if (isPassing && entry.bootstrap.attempts() < MAX_AWAITED_ATTEMPTS) return undefined
  const { code, message } = toFailure(error)
  return new NodeError(code, `${message} (it is tried again in the background)`, { cause: error })
}

/** Every store after its parent. */
function parentsFirst(entries: ReadonlyMap<IdKey, StoreEntry>): StoreEntry[] {
  const ordered = new Set<StoreEntry>()
  const visit = (entry: StoreEntry, above: ReadonlySet<StoreEntry>): void => {
    const { parentId } = entry.record
    const parent = parentId === undefined ? undefined : entries.get(idKey(parentId))
    if (parent !== undefined && !ordered.has(parent) && !above.has(parent)) visit(parent, new Set([...above, entry]))
    ordered.add(entry)
  }
  for (const entry of entries.values()) visit(entry, new Set())
  return [...ordered]
}
