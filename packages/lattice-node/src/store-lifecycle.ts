/**
 * Opens, advances and closes one store at a time, for the store manager.
 *
 * Every step looks at where the store is, so it can be repeated; what waits for others runs beside it and calls back.
 *
 * @module
 */
import { assert, idKey, type IdKey, type StoreId } from '@lattice/model'
import { startBootstrap } from './bootstrap-store.ts'
import { nodeClosed } from './errors.ts'
import { finishCreation } from './finish-creation.ts'
import type { StoreRecord } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import { openStore } from './open-store.ts'
import type { Bootstrap, StoreEntry } from './store-entry.ts'
import { replicaPeers, type TablesOf } from './store-peers.ts'

export type BootstrapListener = (done: number, total: number) => void

export interface StoreLifecycleOptions {
  readonly entryOf: (id: StoreId) => StoreEntry | undefined
  readonly tablesOf: TablesOf
  /** The system table of the store changed. */
  readonly onSystemChange: (id: StoreId) => void
  /** The store came into use. */
  readonly onReady: (entry: StoreEntry) => void
  /** A bootstrap ended, well or for now. */
  readonly onBootstrapChange: () => void
  /** The store cannot go on. */
  readonly onFailed: (id: StoreId, error: Error) => void
}

/** Starts with nothing open. */
export class StoreLifecycle {
  readonly #context: NodeContext
  readonly #options: StoreLifecycleOptions
  readonly #listeners = new Map<IdKey, Set<BootstrapListener>>()

  constructor(context: NodeContext, options: StoreLifecycleOptions) {
    this.#context = context
    this.#options = options
  }

  /** Opens the store and takes it to the next state it can reach by itself. Rejects when it cannot be opened. */
  async advance(entry: StoreEntry): Promise<void> {
    if (isMistyped(entry)) await this.close(entry)
    entry.open ??= await this.#open(entry)
    if (entry.record.state === 'creating') await this.#create(entry)
    if (entry.record.state === 'bootstrapping') entry.bootstrap ??= this.#bootstrap(entry)
    if (entry.record.state === 'active' && !entry.ready) this.#use(entry)
  }

  /** Idempotent. */
  async close(entry: StoreEntry): Promise<void> {
    const { open: store, bootstrap } = entry
    if (store === undefined) return
    entry.ready = false
    await this.#context.network()?.unregister(entry.record.id)
    bootstrap?.controller.abort(nodeClosed())
    await bootstrap?.done
    entry.bootstrap = undefined
    entry.open = undefined
    await store.close()
  }

  setState(entry: StoreEntry, state: StoreRecord['state'], storeType?: string): void {
    this.#context.meta.setState(entry.record.id, state, storeType)
    entry.record = { ...entry.record, state, storeType: storeType ?? entry.record.storeType, creation: undefined }
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

  #open({ record }: StoreEntry): ReturnType<typeof openStore> {
    const { id, storeType, creation, state } = record
    const { tablesOf, onSystemChange, onFailed } = this.#options
    return openStore(this.#context, {
      id,
      storeTypeHint: storeType,
      ...(creation === undefined ? {} : { genesis: creation.genesis }),
      tablesOf,
      onSystemChange: () => onSystemChange(id),
      onFailed: (error) => onFailed(id, error),
      mustExist: state === 'active',
    })
  }

  async #create(entry: StoreEntry): Promise<void> {
    const { parentId, creation } = entry.record
    const store = entry.open
    assert(store !== undefined && creation !== undefined, 'a store is created while open, from what is recorded')
    const parent = parentId === undefined ? undefined : this.#options.entryOf(parentId)
    // The parent has to be in use to be told of its child; its coming into use wakes this one again.
    if (parentId !== undefined && parent?.ready !== true) return
    await finishCreation(this.#context, { store, name: creation.name, parent: parent?.open })
    this.setState(entry, 'active', store.storeType)
  }

  #use(entry: StoreEntry): void {
    assert(entry.open !== undefined, 'a store is open before it is used')
    this.#context.network()?.register(entry.open.replicated)
    entry.ready = true
    this.#context.publish({ kind: 'store_ready', storeId: entry.record.id, storeType: entry.open.storeType })
    this.#options.onReady(entry)
  }

  #bootstrap(entry: StoreEntry): Bootstrap {
    const { id, parentId } = entry.record
    const store = entry.open
    assert(store !== undefined, 'a store is open while it is fetched')
    const { tablesOf, onBootstrapChange } = this.#options
    const { id: self, meta, publish } = this.#context
    return startBootstrap(this.#context, {
      store,
      peers: () => {
        const parent = parentId === undefined ? undefined : tablesOf(parentId)
        return [...meta.bootstrapPeers(id), ...(parent === undefined ? [] : replicaPeers(parent, self, tablesOf))]
      },
      onProgress: (done, total) => {
        publish({ kind: 'bootstrap_progress', storeId: id, done, total })
        for (const listener of this.#listeners.get(idKey(id)) ?? []) listener(done, total)
      },
      onDone: () => {
        this.setState(entry, 'active', store.kernel.storeType())
        entry.bootstrap = undefined
        onBootstrapChange()
      },
      onFailure: onBootstrapChange,
    })
  }
}

/** Opened by a claim of its type that its genesis does not bear out. */
function isMistyped({ open, bootstrap }: StoreEntry): boolean {
  const type = open?.kernel.storeType()
  return open !== undefined && bootstrap === undefined && type !== undefined && type !== open.storeType
}
