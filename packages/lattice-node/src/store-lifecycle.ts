/**
 * Opens, advances and closes one store at a time, for the store manager.
 *
 * Every step looks at where the store is, so it can be repeated; what waits for others runs beside it and calls back.
 *
 * @module
 */
import { assert, equalBytes, idKey, type IdKey, type StoreId } from '@lattice/model'
import { readStrategy } from '@lattice/systemstore'
import { startBootstrap } from './bootstrap-store.ts'
import { nodeClosed, repairUnderWay } from './errors.ts'
import { parentForeign, parentUnnamed } from './life-errors.ts'
import { isPassing } from './failure.ts'
import { finishCreation } from './finish-creation.ts'
import type { StoreRecord } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import { type OpenStore, openStore, type OpenStoreOptions } from './open-store.ts'
import { createSlots, type Slots } from './slots.ts'
import { type Bootstrap, isEnding, outOfUse, type StoreEntry } from './store-entry.ts'
import { clearFailure } from './store-failure.ts'
import { replicaPeers, type TablesOf } from './store-peers.ts'
import { peerSync } from './sync-state.ts'

/** Stores fetched at once: a peer serves each on a stream of its own, and one that stalls holds up only a share. */
export const BOOTSTRAPS_AT_ONCE = 16

export type BootstrapListener = (done: number, total: number) => void

export interface StoreLifecycleOptions {
  readonly entryOf: (id: StoreId) => StoreEntry | undefined
  readonly tablesOf: TablesOf
  readonly kernelOf: OpenStoreOptions['kernelOf']
  /** The stores in use that declare this one as their child. */
  readonly declarers: (id: StoreId) => readonly StoreId[]
  /** The system table of the store changed. */
  readonly onSystemChange: (id: StoreId) => void
  /** The store came into use. */
  readonly onReady: (entry: StoreEntry) => void
  /** A destroyed root witnessed something. */
  readonly onEndingChange: (entry: StoreEntry) => void
  /** A bootstrap ended, well or for now. */
  readonly onBootstrapChange: () => void
  /** The store cannot go on. */
  readonly onFailed: (id: StoreId, error: Error) => void
}

/** Starts with nothing open. */
export class StoreLifecycle {
  readonly #context: NodeContext
  readonly #options: StoreLifecycleOptions
  readonly #slots: Slots = createSlots({ capacity: BOOTSTRAPS_AT_ONCE })
  readonly #listeners = new Map<IdKey, Set<BootstrapListener>>()

  constructor(context: NodeContext, options: StoreLifecycleOptions) {
    this.#context = context
    this.#options = options
  }

  /** Opens a destroyed root and keeps replicating it, out of use. Rejects when it cannot be opened. */
  async handOn(entry: StoreEntry): Promise<void> {
    entry.ready = false
    entry.declared = undefined
    this.#register(entry, await this.#opened(entry))
  }

  /** Opens the store and takes it to the next state it can reach by itself. Rejects when it cannot be opened. */
  async advance(entry: StoreEntry): Promise<void> {
    // What is nowhere to be had is opened for each attempt alone.
    if (entry.record.state === 'bootstrapping') {
      entry.bootstrap ??= this.#bootstrap(entry)
      return
    }
    if (isMistyped(entry)) await this.close(entry)
    await this.#opened(entry)
    if (entry.record.state === 'creating') await this.#create(entry)
    if (entry.record.state === 'active' && !entry.ready) this.#use(entry)
  }

  /** Idempotent. */
  async close(entry: StoreEntry): Promise<void> {
    if (outOfUse(entry) !== undefined) this.noteReplicated(entry)
    entry.ready = false
    entry.declared = undefined
    if (entry.registered) await this.#context.network()?.unregister(entry.record.id)
    entry.registered = false
    const { bootstrap } = entry
    bootstrap?.controller.abort(nodeClosed())
    await bootstrap?.done
    entry.bootstrap = undefined
    const { open: store } = entry
    entry.open = undefined
    await store?.close()
  }

  /** Remembers that a connected peer holds all that is here, if one does: once the store is closed nobody can tell. */
  noteReplicated(entry: StoreEntry): void {
    const { open: store, record } = entry
    if (store === undefined) return
    const peers = replicaPeers(store.kernel.tables(), this.#context.id, this.#options.tablesOf)
    if (!peers.some((peer) => peerSync(this.#context, store, peer) === 'synced')) return
    const { witnessCount: replicatedCount } = store.kernel.digest()
    if (record.replicatedCount === replicatedCount) return
    this.#context.meta.setReplicatedCount(record.id, replicatedCount)
    entry.record = { ...record, replicatedCount }
  }

  setState(entry: StoreEntry, state: StoreRecord['state'], storeType?: string): void {
    const { record } = entry
    this.#context.meta.setState(record.id, state, storeType)
    entry.record = {
      ...record,
      state,
      storeType: storeType ?? record.storeType,
      creation: undefined,
      isComplete: record.isComplete || state === 'active',
    }
    // What went wrong before is looked at anew when it is used next.
    if (outOfUse(entry) !== undefined) clearFailure(entry)
  }

  /** Progress of a store's bootstrap, until the returned function is called. */
  onBootstrap(id: StoreId, listener: BootstrapListener): () => void {
    const key = idKey(id)
    const own = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, own.add(listener))
    return () => {
      own.delete(listener)
      if (own.size === 0) this.#listeners.delete(key)
    }
  }

  async #opened(entry: StoreEntry): Promise<OpenStore> {
    entry.open ??= await this.#open(entry)
    entry.hasData = true
    return entry.open
  }

  async #open(entry: StoreEntry): Promise<OpenStore> {
    const { id, storeType, creation, state } = entry.record
    const { tablesOf, kernelOf, onSystemChange, onFailed, onEndingChange } = this.#options
    const store = await openStore(this.#context, {
      id,
      storeTypeHint: storeType,
      ...(creation === undefined ? {} : { genesis: creation.genesis }),
      tablesOf,
      kernelOf,
      isRevoked: () => entry.revoked,
      onSystemChange: () => onSystemChange(id),
      onFailed: (error) => onFailed(id, error),
      mustExist: state !== 'creating' && state !== 'bootstrapping',
    })
    // Ends with the kernel.
    store.kernel.onWitnessed(() => {
      if (isEnding(entry)) onEndingChange(entry)
    })
    return store
  }

  async #create(entry: StoreEntry): Promise<void> {
    const { parentId, creation } = entry.record
    const store = entry.open
    assert(store !== undefined && creation !== undefined, 'a store is created while open, from what is recorded')
    const parent = parentId === undefined ? undefined : this.#options.entryOf(parentId)
    // The parent has to be in use to be told of its child; its coming into use wakes this one again.
    if (parentId !== undefined && parent?.ready !== true) return
    const { name, strategy = 'inherited' } = creation
    const { tablesOf } = this.#options
    await finishCreation(this.#context, { store, name, strategy, parent: parent?.open, tablesOf })
    this.setState(entry, 'active', store.storeType)
  }

  #use(entry: StoreEntry): void {
    assert(entry.open !== undefined, 'a store is open before it is used')
    this.#register(entry, entry.open)
    entry.ready = true
    this.#context.publish({ kind: 'store_ready', storeId: entry.record.id, storeType: entry.open.storeType })
    this.#options.onReady(entry)
  }

  #register(entry: StoreEntry, store: OpenStore): void {
    if (entry.registered) return
    this.#context.network()?.register(store.replicated)
    entry.registered = true
  }

  #bootstrap(entry: StoreEntry): Bootstrap {
    const { id } = entry.record
    const { tablesOf, declarers, onBootstrapChange } = this.#options
    const { id: self, meta, publish } = this.#context
    return startBootstrap(this.#context, {
      id,
      open: () => this.#openToFill(entry),
      fetching: { storeTypeHint: entry.record.storeType, tablesOf, kernelOf: this.#options.kernelOf },
      close: async () => {
        const store = entry.open
        entry.open = undefined
        await store?.close()
      },
      slots: this.#slots,
      peers: () => {
        // Until it is here, any of its declarations may be the true one.
        const above = declarers(id).flatMap((parent) => tablesOf(parent) ?? [])
        return [...meta.bootstrapPeers(id), ...above.flatMap((tables) => replicaPeers(tables, self, tablesOf))]
      },
      onProgress: ({ done, total, bytes, peers }) => {
        publish({ kind: 'bootstrap_progress', storeId: id, done, total, bytes, peers })
        for (const listener of this.#listeners.get(idKey(id)) ?? []) listener(done, total)
      },
      onDone: () => {
        assert(entry.open !== undefined, 'a store that was fetched is open')
        checkParent(entry, entry.open)
        this.setState(entry, 'active', entry.open.kernel.storeType())
        entry.refusal = undefined
        entry.bootstrap = undefined
        onBootstrapChange()
      },
      onFailure: onBootstrapChange,
    })
  }

  /** One that cannot be opened has failed, unless the next attempt of the bootstrap may find it otherwise. */
  async #openToFill(entry: StoreEntry): Promise<OpenStore> {
    // Somebody is at its files; the attempt is repeated.
    if (entry.repairing) throw repairUnderWay(entry.record.id)
    try {
      return await this.#opened(entry)
    } catch (error) {
      if (!isPassing(error)) {
        this.#options.onFailed(entry.record.id, error instanceof Error ? error : new Error(String(error)))
      }
      throw error
    }
  }
}

/** Everything is here: its own table has to bear out what it was fetched for. Throws where it does not. */
function checkParent({ record }: StoreEntry, { kernel }: OpenStore): void {
  if (record.parentId === undefined) return
  const strategy = readStrategy(kernel.tables().system)
  if (strategy === undefined) throw parentUnnamed(record.id)
  if (strategy.parent === undefined || !equalBytes(strategy.parent, record.parentId)) throw parentForeign(record.id)
}

/** Opened by a claim of its type that its genesis does not bear out. */
function isMistyped({ open, bootstrap }: StoreEntry): boolean {
  const type = open?.kernel.storeType()
  return open !== undefined && bootstrap === undefined && type !== undefined && type !== open.storeType
}
