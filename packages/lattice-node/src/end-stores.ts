/**
 * The end of stores, as the last part of each pass of the store manager: acknowledges what is destroyed, hands the end of
 * roots on, and removes data that is to go.
 *
 * Level-triggered: each step looks at tables, records and files as they are, so a crash between any two is made good by
 * the next pass.
 *
 * @module
 */
import { type AbortSignal, equalBytes, type IdKey, idKey, type PublicKey, type StoreId } from '@lattice/model'
import type { SyncOutcome } from '@lattice/net'
import { ackStoreDestroy, readDestroyAcks, type SystemWrite } from '@lattice/systemstore'
import { isAcknowledged, isEndKnownToAll, owedChildAcks, owesRootAck } from './destroy-acks.ts'
import { toFailure } from './failure.ts'
import type { MetaStoreState } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import { moveAside, sweep } from './store-data.ts'
import { isEnding, parentsFirst, type StoreEntry, withDescendants } from './store-entry.ts'
import { clearFailure } from './store-failure.ts'
import { mayWrite, type TablesOf } from './store-peers.ts'
import { submitSystem } from './submit-system.ts'

export interface StoreEndingsOptions {
  readonly entries: ReadonlyMap<IdKey, StoreEntry>
  readonly tablesOf: TablesOf
  readonly close: (entry: StoreEntry) => Promise<void>
  /** Its record is gone. */
  readonly remove: (entry: StoreEntry) => void
  /** Starts a task that ends with the manager. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void
  readonly wake: () => void
  /** Data was removed: there is room again. */
  readonly onRemoved: () => void
}

/** Starts with nothing under way. */
export class StoreEndings {
  readonly #context: NodeContext
  readonly #options: StoreEndingsOptions
  #isSwept = false

  constructor(context: NodeContext, options: StoreEndingsOptions) {
    this.#context = context
    this.#options = options
  }

  /** Does what can be done now. Resolves with false where something is left to be done later. */
  async settle(): Promise<boolean> {
    const isAcknowledged = await this.#acknowledge()
    for (const entry of this.#options.entries.values()) this.#settleEnd(entry)
    await this.#removeData()
    return isAcknowledged
  }

  /** True while a store waits for others to learn of its end, or this node has yet to say that it has. */
  isWaiting(): boolean {
    const { entries, tablesOf } = this.#options
    return [...entries.values()].some((entry) => {
      if (entry.record.state !== 'destroyed') return false
      const parent = entry.parent()
      const owed = parent && owedChildAcks(this.#context, parent, { children: [entry], tablesOf })
      return entry.hasData || (owed !== undefined && owed.length > 0)
    })
  }

  /** A peer that has acknowledged the end of a root, or that nobody waits for, may say that it has it no more. */
  note(outcome: SyncOutcome): void {
    const entry = this.#options.entries.get(idKey(outcome.storeId))
    if (entry === undefined || !isEnding(entry) || outcome.kind !== 'failed') return
    if (outcome.error.code !== 'STORE_NOT_FOUND') return
    const tables = entry.open?.kernel.tables()
    const isReader = tables !== undefined && !mayWrite(tables, outcome.peer, this.#options.tablesOf)
    if (isReader || hasAcknowledged(entry, outcome.peer)) entry.handOn.gone.add(idKey(outcome.peer))
  }

  /** A peer is there: the end of roots is handed on to it. */
  greet(peer: PublicKey): void {
    for (const { handOn } of this.#options.entries.values()) {
      // What it said before it went may be so no more.
      handOn.gone.delete(idKey(peer))
      handOn.isDue = true
    }
  }

  async #acknowledge(): Promise<boolean> {
    const { entries, tablesOf } = this.#options
    const families = new Map<StoreEntry, StoreEntry[]>()
    let isDone = true
    for (const entry of entries.values()) {
      if (owesRootAck(this.#context, entry, tablesOf)) {
        if (!(await this.#submit(entry, [ackStoreDestroy({ author: this.#context.id })]))) isDone = false
      }
      const parent = entry.record.state === 'destroyed' ? entry.parent() : undefined
      if (parent !== undefined) families.set(parent, [...(families.get(parent) ?? []), entry])
    }
    for (const [parent, children] of families) {
      const acks = owedChildAcks(this.#context, parent, { children, tablesOf })
      // What one intention does not take is left to the pass that its own change of the table wakes.
      if (acks.length > 0 && !(await this.#submit(parent, acks))) isDone = false
    }
    return isDone
  }

  /** What cannot be written now is written by a later pass. */
  async #submit({ open, record }: StoreEntry, acks: readonly SystemWrite[]): Promise<boolean> {
    // It is looked at again once it opens.
    if (open === undefined) return true
    try {
      await submitSystem(open.kernel, acks, { author: this.#context.id, act: 'acknowledge' })
      return true
    } catch (error) {
      this.#context.logger.warn('store.end_not_acknowledged', { storeId: record.id, ...toFailure(error) })
      return false
    }
  }

  #settleEnd(entry: StoreEntry): void {
    const { tablesOf, entries } = this.#options
    const { state, isDeleting } = entry.record
    if (state !== 'destroyed' || isDeleting || !entry.hasData || entry.repairing) return
    if (isEndKnownToAll(this.#context, entry, tablesOf)) {
      this.condemn(withDescendants(entries, entry).map(({ record }) => ({ id: record.id, hold: undefined })))
    } else if (isEnding(entry) && isAcknowledged(entry, tablesOf) && entry.handOn.isDue && !entry.handOn.isRunning) {
      entry.handOn.isRunning = true
      this.#options.spawn('hand on end', (signal) => this.#handOn(entry, signal))
    }
  }

  /** Makes the peers that are there equal, which tells them all acks, and looks again. */
  async #handOn(entry: StoreEntry, signal: AbortSignal): Promise<void> {
    const { handOn, record } = entry
    const network = this.#context.network()
    try {
      while (handOn.isDue && network !== undefined && entry.registered) {
        handOn.isDue = false
        for await (const outcome of network.sync(record.id, signal)) this.note(outcome)
      }
    } catch (error) {
      // The store was closed meanwhile, or the node is.
      this.#context.logger.debug('store.end_not_handed_on', { storeId: record.id, ...toFailure(error) })
    } finally {
      handOn.isRunning = false
      this.#options.wake()
    }
  }

  /** From now on the data of these goes, whatever happens. */
  condemn(deletions: Parameters<NodeContext['meta']['beginDeletion']>[0]): void {
    this.#context.meta.beginDeletion(deletions)
    for (const { id } of deletions) {
      const entry = this.#options.entries.get(idKey(id))
      if (entry !== undefined) entry.record = { ...entry.record, isDeleting: true }
    }
  }

  async #removeData(): Promise<void> {
    const { meta, directory } = this.#context
    const { entries, close, remove } = this.#options
    const doomed = parentsFirst(entries).filter(({ record }) => record.isDeleting)
    if (doomed.some(({ repairing }) => repairing)) return
    if (doomed.length > 0) {
      for (const entry of doomed.toReversed()) await close(entry)
      for (const { record } of doomed) moveAside(directory.storesPath, directory.storePath(record.id))
      const kept = doomed.filter(isKept).map(({ record }) => ({ id: record.id, state: stateWithoutData(record.state) }))
      const removed = doomed.filter((entry) => !isKept(entry)).map(({ record }) => record.id)
      meta.finishDeletion({ kept, removed })
      for (const { id, state } of kept) this.#forget(id, state)
      for (const id of removed) {
        const entry = entries.get(idKey(id))
        if (entry !== undefined) remove(entry)
      }
    }
    if (doomed.length > 0 || !this.#isSwept) this.#sweep()
  }

  #forget(id: StoreId, state: MetaStoreState): void {
    const entry = this.#options.entries.get(idKey(id))
    if (entry === undefined) return
    entry.record = { ...entry.record, state, isComplete: false, isDeleting: false, replicatedCount: undefined }
    entry.hasData = false
    clearFailure(entry)
  }

  #sweep(): void {
    try {
      sweep(this.#context.directory.storesPath)
      this.#isSwept = true
      this.#options.onRemoved()
    } catch (error) {
      // It takes room and nothing else: the next deletion, or start, tries again.
      this.#context.logger.error('store.data_not_removed', { ...toFailure(error) })
    }
  }
}

/** Its declaration, or that it is destroyed, is still to be known once its data is gone. */
function isKept(entry: StoreEntry): boolean {
  const parent = entry.parent()
  // Nobody but this node knew of it.
  if (entry.record.state === 'creating') return false
  return parent === undefined ? entry.record.state === 'destroyed' : !parent.record.isDeleting
}

/** What was out of use by a store above it alone comes again from others, should that be used again. */
function stateWithoutData(state: MetaStoreState): MetaStoreState {
  return state === 'left' || state === 'archived' || state === 'destroyed' ? state : 'bootstrapping'
}

function hasAcknowledged({ open }: StoreEntry, peer: PublicKey): boolean {
  const acks = open === undefined ? [] : readDestroyAcks(open.kernel.tables().system)
  return acks.some((other) => equalBytes(other, peer))
}
