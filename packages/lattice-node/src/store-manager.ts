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
import {
  type AbortSignal,
  createScope,
  idKey,
  type IdKey,
  type PublicKey,
  type Scope,
  type StoreId,
} from '@lattice/model'
import type { ReadStoreTables } from '@lattice/store-base'
import { compareChildren } from './declared-children.ts'
import { NodeError, nodeClosed, repairUnderWay, shortId, storeNotFound } from './errors.ts'
import { toFailure } from './failure.ts'
import type { StoreRecord } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import { createReadyWaiters, type Readiness, type ReadyWaiters } from './ready-waiters.ts'
import { createStoreEntry, parentsFirst, type StoreEntry } from './store-entry.ts'
import { type BootstrapListener, StoreLifecycle } from './store-lifecycle.ts'

/** Attempts to bootstrap after which whoever waits is told; it goes on in the background. */
export const MAX_AWAITED_ATTEMPTS = 5

export interface StoreManagerOptions {
  /** After every pass: the set of stores in use, or a system table, may have changed. */
  readonly onChanged: () => void
  /** A store came into use. */
  readonly onReady: (entry: StoreEntry) => void
}

/** Starts with what `meta.db` has; nothing is opened before the first wake. */
export class StoreManager {
  /** Every known store. */
  readonly entries: ReadonlyMap<IdKey, StoreEntry>
  readonly #entries = new Map<IdKey, StoreEntry>()
  readonly #context: NodeContext
  readonly #options: StoreManagerOptions
  readonly #lifecycle: StoreLifecycle
  readonly #waiters: ReadyWaiters = createReadyWaiters()
  readonly #scope: Scope
  readonly #changedTables = new Set<IdKey>()
  #dirty = false
  #running: Promise<void> | undefined

  constructor(context: NodeContext, options: StoreManagerOptions) {
    this.entries = this.#entries
    this.#context = context
    this.#options = options
    this.#scope = createScope('stores')
    this.#lifecycle = new StoreLifecycle(context, {
      entryOf: this.entry,
      tablesOf: this.tablesOf,
      onSystemChange: (id) => {
        this.#changedTables.add(idKey(id))
        this.wake()
      },
      onReady: (entry) => {
        // Its children, if it declares any, are now to be looked at.
        this.wake()
        options.onReady(entry)
      },
      onBootstrapChange: () => {
        this.#waiters.tell()
        this.wake()
      },
      onFailed: (id, error) => this.#fail(id, error),
    })
    for (const record of context.meta.stores()) this.#entries.set(idKey(record.id), createStoreEntry(record))
  }

  readonly entry = (id: StoreId): StoreEntry | undefined => this.#entries.get(idKey(id))

  /** The tables of a store that is open, in use or not. */
  readonly tablesOf = (id: StoreId): ReadStoreTables | undefined => this.entry(id)?.open?.kernel.tables()

  /** Records a store, unless it is known, and sees to it. `peers` are those to bootstrap from. */
  add(record: StoreRecord, peers: readonly PublicKey[] = []): void {
    if (this.entry(record.id) === undefined) {
      this.#context.meta.putStore(record, peers)
      this.#entries.set(idKey(record.id), createStoreEntry(record))
    }
    this.wake()
  }

  /** Looks again at everything. Never waits. */
  wake(): void {
    this.#dirty = true
    if (this.#running !== undefined || this.#scope.signal.aborted) return
    const running = this.#settle().finally(() => {
      this.#running = undefined
    })
    this.#running = running
    this.#scope.spawn('settle', () => running)
  }

  /** Bootstraps that wait for a peer try again. */
  nudge(): void {
    for (const entry of this.#entries.values()) entry.bootstrap?.nudge()
  }

  /** Resolves once nothing is left to do but what waits for others. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** Resolves once the store is in use; rejects when it cannot be, or with `signal.reason`. */
  whenReady(id: StoreId, signal: AbortSignal): Promise<void> {
    return this.#waiters.wait(() => this.#readiness(id), signal)
  }

  /** Closes the store, runs `work` on its files, and opens it again. Rejects as `work` does, or when the node closes. */
  async withClosed<T>(id: StoreId, work: (entry: StoreEntry, signal: AbortSignal) => Promise<T>): Promise<T> {
    const entry = this.entry(id)
    if (entry === undefined) throw storeNotFound(shortId(id))
    if (entry.repairing) throw repairUnderWay(id)
    entry.repairing = true
    const before = entry.failure
    try {
      await this.settled()
      await this.#closeEntry(entry)
      const answer = await this.run((signal) => work(entry, signal))
      entry.failure = undefined
      return answer
    } catch (error) {
      entry.failure = before
      throw error
    } finally {
      entry.repairing = false
      this.wake()
      await this.settled()
    }
  }

  /** Keeps a store that is not open from being opened while `work` reads its files; undefined where it is in use. */
  async whileClosed<T>(entry: StoreEntry, work: () => Promise<T>): Promise<T | undefined> {
    if (entry.repairing) return undefined
    entry.repairing = true
    try {
      await this.settled()
      return entry.open === undefined ? await work() : undefined
    } finally {
      entry.repairing = false
      this.wake()
    }
  }

  /** Runs `work` as a task that ends with the manager. */
  run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#scope.signal.aborted) return reject(nodeClosed())
      this.#scope.spawn('work on closed store', async (signal) => {
        await work(signal).then(resolve, reject)
      })
    })
  }

  /** Damage, or a bug, ended a store that was in use: it is closed and shown as what it is; the others go on. */
  #fail(id: StoreId, error: Error): void {
    const entry = this.entry(id)
    if (entry === undefined || entry.failure !== undefined || this.#scope.signal.aborted) return
    entry.failure = error
    const failure = toFailure(error)
    this.#context.logger.error('store.failed', { storeId: id, ...failure })
    this.#context.publish({ kind: 'store_failed', storeId: id, failure })
    this.#waiters.tell()
    this.wake()
  }

  /** Progress of a store's bootstrap, until the returned function is called. */
  onBootstrap(id: StoreId, listener: BootstrapListener): () => void {
    return this.#lifecycle.onBootstrap(id, listener)
  }

  /** Closes every store, children first. Idempotent. */
  readonly close = async (): Promise<void> => {
    const ended = this.#scope.close(nodeClosed())
    for (const entry of this.#entries.values()) entry.bootstrap?.controller.abort(nodeClosed())
    await ended
    for (const entry of parentsFirst(this.#entries).reverse()) await this.#closeEntry(entry)
    this.#waiters.tell()
  }

  async #settle(): Promise<void> {
    // Lets the caller finish its own step first.
    await Promise.resolve()
    while (this.#dirty && !this.#scope.signal.aborted) {
      this.#dirty = false
      try {
        await this.#pass()
      } catch (error) {
        // A full disk, most likely: what could not be done is done by the next pass that finds room.
        this.#context.logger.error('stores.pass_failed', { ...toFailure(error) })
      }
    }
  }

  async #pass(): Promise<void> {
    this.#applyDeclarations()
    for (const entry of parentsFirst(this.#entries)) {
      if (this.#scope.signal.aborted) return
      await this.#settleEntry(entry)
    }
    await this.#recheckInherited()
    this.#options.onChanged()
    this.#waiters.tell()
  }

  #applyDeclarations(): void {
    for (const change of compareChildren(this.#entries)) {
      if (change.kind === 'state') this.#lifecycle.setState(change.entry, change.state)
      else {
        const { child, parent } = change
        this.add({
          id: child.child,
          parentId: parent.record.id,
          storeType: child.storeType,
          state: 'bootstrapping',
          createdAt: this.#context.clock.wallMs(),
          creation: undefined,
        })
      }
    }
  }

  async #settleEntry(entry: StoreEntry): Promise<void> {
    try {
      if (isWanted(entry)) await this.#lifecycle.advance(entry)
      else await this.#lifecycle.close(entry)
    } catch (error) {
      if (this.#scope.signal.aborted) return
      this.#context.logger.error('store.failed', { storeId: entry.record.id, ...toFailure(error) })
      await this.#closeEntry(entry)
      entry.failure = error
    }
  }

  async #closeEntry(entry: StoreEntry): Promise<void> {
    try {
      await this.#lifecycle.close(entry)
    } catch (error) {
      this.#context.logger.error('store.close_failed', { storeId: entry.record.id, ...toFailure(error) })
    }
  }

  /** What floats in a store with inherited peers may be admitted by what changed above it. */
  async #recheckInherited(): Promise<void> {
    if (this.#changedTables.size === 0) return
    const changed = new Set(this.#changedTables)
    this.#changedTables.clear()
    for (const entry of parentsFirst(this.#entries)) {
      const { id, parentId } = entry.record
      if (parentId === undefined || !changed.has(idKey(parentId))) continue
      changed.add(idKey(id))
      await entry.open?.kernel.recheckFloating()
    }
  }

  #readiness(id: StoreId): Readiness {
    const entry = this.entry(id)
    if (entry?.ready === true) return { kind: 'ready' }
    const error = this.#scope.signal.aborted ? nodeClosed() : entry && hopeless(entry)
    return error === undefined ? { kind: 'waiting' } : { kind: 'hopeless', error }
  }
}

function isWanted({ record, failure, repairing }: StoreEntry): boolean {
  const { state } = record
  return (
    failure === undefined && !repairing && (state === 'creating' || state === 'bootstrapping' || state === 'active')
  )
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
