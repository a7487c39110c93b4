/**
 * The one owner of every store's lifecycle on this node.
 *
 * It compares what should be open with what is, and makes the difference go away, one store at a time: after a start,
 * after a store is added, and after any system table changed. Each step can be repeated, so it does not matter why it was
 * woken. A store that does not open is listed with its error and stops no other; where the reason may pass it is tried
 * again, and so is what could not be recorded. A store is in use only once the network knows it; it is unknown to the
 * network before it closes.
 *
 * @module
 */
import {
  type AbortSignal,
  assert,
  createScope,
  idKey,
  type IdKey,
  type PublicKey,
  type Scope,
  type StoreId,
} from '@lattice/model'
import type { Kernel } from '@lattice/kernel'
import type { SyncOutcome } from '@lattice/net'
import type { ReadStoreTables } from '@lattice/store-base'
import { type ClosedStores, createClosedStores } from './closed-stores.ts'
import { StoreEndings } from './end-stores.ts'
import { nodeClosed, shortId, storeNotFound } from './errors.ts'
import { toFailure } from './failure.ts'
import { type AboveFollower, createAboveFollower } from './follow-above.ts'
import { Hierarchy } from './hierarchy.ts'
import { readinessOf } from './why-hopeless.ts'
import { listStores } from './list-stores.ts'
import type { MetaStoreState, NewStore } from './meta-db.ts'
import { createMutex, type Mutex } from './mutex.ts'
import type { NodeContext } from './node-context.ts'
import { createChangePublisher } from './publish-changes.ts'
import { createReadyWaiters, type ReadyWaiters } from './ready-waiters.ts'
import { createRetry, type Retry } from './retry.ts'
import { hasLog } from './store-data.ts'
import {
  createStoreEntry,
  isEnding,
  isOnlyDeclaredEnded,
  isWanted,
  parentsFirst,
  type StoreEntry,
} from './store-entry.ts'
import { type FailureDeps, isMended, noteFailure } from './store-failure.ts'
import { type BootstrapListener, StoreLifecycle } from './store-lifecycle.ts'

/** Acts of stores' lives that wait for each other: people ask for them. */
const MAX_WAITING_ACTS = 64

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
  readonly context: NodeContext
  /** Acts of stores' lives, one at a time: many concern the stores above and below. */
  readonly acts: Mutex = createMutex({ capacity: MAX_WAITING_ACTS })
  readonly endings: StoreEndings
  readonly #entries = new Map<IdKey, StoreEntry>()
  readonly #hierarchy: Hierarchy
  readonly #tell: ReturnType<typeof createChangePublisher>
  readonly #options: StoreManagerOptions
  readonly #lifecycle: StoreLifecycle
  readonly #waiters: ReadyWaiters = createReadyWaiters()
  readonly #scope: Scope
  readonly #changedTables = new Set<IdKey>()
  readonly #above: AboveFollower
  /** Of the pass, where it left something undone. */
  readonly #retry: Retry
  readonly #failureDeps: FailureDeps
  #dirty = false
  #running: Promise<void> | undefined

  constructor(context: NodeContext, options: StoreManagerOptions) {
    this.entries = this.#entries
    this.context = context
    this.#options = options
    this.#scope = createScope('stores')
    const { signal } = this.#scope
    this.#failureDeps = { scheduler: context.scheduler, signal, wake: () => this.wake() }
    this.#retry = createRetry({ scheduler: context.scheduler, signal, onDue: () => this.wake() })
    this.#above = createAboveFollower(context, {
      entries: this.#entries,
      entryOf: this.entry,
      tablesOf: this.tablesOf,
      wake: () => this.wake(),
    })
    this.#lifecycle = new StoreLifecycle(context, {
      entryOf: this.entry,
      tablesOf: this.tablesOf,
      kernelOf: this.kernelOf,
      declarers: (id) => this.#hierarchy.declarers(id),
      onEndingChange: ({ handOn }) => {
        handOn.isDue = true
        this.wake()
      },
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
    this.#hierarchy = new Hierarchy(context, {
      entries: this.#entries,
      setState: (entry, state) => this.setState(entry, state),
      add: (record) => this.add(record),
    })
    this.endings = new StoreEndings(context, {
      entries: this.#entries,
      tablesOf: this.tablesOf,
      close: (entry) => this.#closeEntry(entry),
      remove: ({ record }) => this.#entries.delete(idKey(record.id)),
      spawn: (name, task) => this.#scope.spawn(name, task),
      wake: () => this.wake(),
      onRemoved: () => this.#retryNow(),
    })
    this.closed = createClosedStores({
      entryOf: this.entry,
      close: (entry) => this.#closeEntry(entry),
      settled: () => this.settled(),
      wake: () => this.wake(),
      run: (work) => this.run(work),
      failures: this.#failureDeps,
    })
    this.#tell = createChangePublisher(context)
    for (const { id } of context.meta.stores()) this.#load(id)
  }

  readonly entry = (id: StoreId): StoreEntry | undefined => this.#entries.get(idKey(id))

  /** The tables of a store that is open, in use or not. */
  readonly tablesOf = (id: StoreId): ReadStoreTables | undefined => this.kernelOf(id)?.tables()

  readonly kernelOf = (id: StoreId): Kernel | undefined => this.entry(id)?.open?.kernel

  /** Work on the files of stores while these are not open. */
  readonly closed: ClosedStores

  /** Records a store, unless it is known, and sees to it. `peers` are those to bootstrap from. */
  add(record: NewStore, peers: readonly PublicKey[] = []): void {
    if (this.entry(record.id) === undefined) {
      this.context.meta.putStore(record, peers)
      this.#load(record.id)
    }
    this.wake()
  }

  /**
   * Has a known store go on: one that was left, or one that is on its way. With `peers` it was joined by a token, so that
   * no declaration decides whose it is: one that is not here is recorded under no parent until its own table names one.
   */
  resume(id: StoreId, peers: readonly PublicKey[] = []): void {
    const entry = this.entry(id)
    if (entry === undefined) throw storeNotFound(shortId(id))
    const { record } = entry
    // Another call may have come first.
    const isInvited = peers.length > 0
    const isWaiting = record.state === 'left' || record.state === 'bootstrapping'
    if (!isWaiting && !(isInvited && isOnlyDeclaredEnded(entry))) return
    const state = record.isComplete ? 'active' : 'bootstrapping'
    const parentId = isInvited && state === 'bootstrapping' ? undefined : record.parentId
    this.context.meta.putStore({ ...record, parentId, state }, peers)
    entry.record = { ...record, parentId, state }
    entry.refusal = undefined
    entry.bootstrap?.reset()
    this.wake()
  }

  /** Has a store of which nothing is here, and that was in use, be fetched as one that never was. It was joined by a token. */
  async fetchAnew(id: StoreId, peers: readonly PublicKey[]): Promise<void> {
    await this.closed.withClosed(id, async (entry) => {
      const record = { ...entry.record, parentId: undefined, state: 'bootstrapping', isComplete: false } as const
      this.context.meta.putStore(record, peers)
      entry.record = record
      entry.revoked = false
    })
  }

  /** Durable at once; what follows from it is done by the next pass. */
  setState(entry: StoreEntry, state: MetaStoreState): void {
    this.#lifecycle.setState(entry, state)
    this.wake()
  }

  /** Remembers that a connected peer holds all that is in the store, if one does. */
  noteReplicated(entry: StoreEntry): void {
    this.#lifecycle.noteReplicated(entry)
  }

  /** An exchange ended; stores that end may have waited for it. */
  noteSync(outcome: SyncOutcome): void {
    if (!this.endings.isWaiting()) return
    this.endings.note(outcome)
    this.wake()
  }

  /** A peer came up: bootstraps that wait for one try again, and ends are handed on. */
  greet(peer: PublicKey): void {
    this.nudge()
    if (!this.endings.isWaiting()) return
    this.endings.greet(peer)
    this.wake()
  }

  /** Looks again, and resolves once nothing is left to do but what waits for others. */
  async settle(): Promise<void> {
    this.wake()
    await this.settled()
  }

  #load(id: StoreId): void {
    const record = this.context.meta.store(id)
    assert(record !== undefined, 'a store is recorded before it is held')
    const hasData = hasLog(this.context.directory.storePath(id))
    this.#entries.set(idKey(id), createStoreEntry(record, { entryOf: this.entry, hasData }))
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
    return this.#waiters.wait(() => readinessOf(id, this.entry(id), this.#scope.signal.aborted), signal)
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
    noteFailure(entry, error, this.#failureDeps)
    const failure = toFailure(error)
    this.context.logger.error('store.failed', { storeId: id, ...failure })
    this.context.publish({ kind: 'store_failed', storeId: id, failure })
    this.#waiters.tell()
    this.wake()
  }

  /** Progress of a store's bootstrap, until the returned function is called. */
  onBootstrap(id: StoreId, listener: BootstrapListener): () => void {
    return this.#lifecycle.onBootstrap(id, listener)
  }

  /** Ends what is under way, and begins nothing more; what is open stays so. Idempotent. */
  readonly end = async (): Promise<void> => {
    const ended = this.#scope.close(nodeClosed())
    this.#above.close()
    for (const entry of this.#entries.values()) entry.bootstrap?.controller.abort(nodeClosed())
    await ended
  }

  /** Closes every store, children first. Idempotent. */
  readonly close = async (): Promise<void> => {
    await this.end()
    for (const entry of parentsFirst(this.#entries).reverse()) await this.#closeEntry(entry)
    this.#waiters.tell()
  }

  async #settle(): Promise<void> {
    // Lets the caller finish its own step first.
    await Promise.resolve()
    while (this.#dirty && !this.#scope.signal.aborted) {
      this.#dirty = false
      // What changes from here on is the next pass's.
      const changed = new Set(this.#changedTables)
      this.#changedTables.clear()
      const isDone = await this.#tryPass(changed)
      if (isDone) this.#retry.over()
      else this.#retry.failed()
    }
  }

  async #tryPass(changed: ReadonlySet<IdKey>): Promise<boolean> {
    try {
      return await this.#pass(changed)
    } catch (error) {
      for (const key of changed) this.#changedTables.add(key)
      // A full disk, most likely: what could not be done is done by the next pass that finds room.
      this.context.logger.error('stores.pass_failed', { ...toFailure(error) })
      return false
    }
  }

  /** False where something is left to be done later. */
  async #pass(changed: ReadonlySet<IdKey>): Promise<boolean> {
    this.#hierarchy.settle(changed)
    for (const entry of parentsFirst(this.#entries).reverse()) {
      if (!isWanted(entry) && !isEnding(entry)) await this.#settleEntry(entry)
    }
    for (const entry of parentsFirst(this.#entries)) {
      if (this.#scope.signal.aborted) return false
      if (isWanted(entry) || isEnding(entry)) await this.#settleEntry(entry)
    }
    const areEndsTold = await this.endings.settle()
    const isAboveFollowed = await this.#above.settle(changed)
    this.#hierarchy.refreshNames()
    this.#options.onChanged()
    this.#tell(listStores(this))
    this.#waiters.tell()
    return areEndsTold && isAboveFollowed
  }

  async #settleEntry(entry: StoreEntry): Promise<void> {
    try {
      if (isWanted(entry)) await this.#lifecycle.advance(entry)
      else if (isEnding(entry)) await this.#lifecycle.handOn(entry)
      else return await this.#lifecycle.close(entry)
      // There is room again, or whatever else it was: others may have waited for the same.
      if (isMended(entry)) this.#retryNow()
    } catch (error) {
      if (this.#scope.signal.aborted) return
      const fields = { storeId: entry.record.id, ...toFailure(error) }
      if ((entry.retry?.failures() ?? 0) > 0) this.context.logger.warn('store.retry', fields)
      else this.context.logger.error('store.failed', fields)
      await this.#closeEntry(entry)
      noteFailure(entry, error, this.#failureDeps)
    }
  }

  /** Something happened that may help: what failed is tried now. */
  #retryNow(): void {
    for (const { retry } of this.#entries.values()) retry?.nudge()
  }

  async #closeEntry(entry: StoreEntry): Promise<void> {
    try {
      await this.#lifecycle.close(entry)
    } catch (error) {
      this.context.logger.error('store.close_failed', { storeId: entry.record.id, ...toFailure(error) })
    }
  }
}
