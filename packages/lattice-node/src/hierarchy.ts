/**
 * Keeps what is recorded of the hierarchy equal to what the tables of open stores say: which children there are, in what
 * state and under what name, and which roots are destroyed.
 *
 * @module
 */
import { assert, idKey, type IdKey, type StoreId } from '@lattice/model'
import { type ChildEntry, readChildren, readDestroyed, readName, readStrategy } from '@lattice/systemstore'
import { type ChildChange, compareChildren, type KnownStore, MAX_CHILDREN } from './declared-children.ts'
import { parentForeign } from './life-errors.ts'
import type { MetaStoreState, NewStore } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import type { StoreEntry } from './store-entry.ts'

export interface HierarchyOptions {
  readonly entries: ReadonlyMap<IdKey, StoreEntry>
  readonly setState: (entry: StoreEntry, state: MetaStoreState) => void
  readonly add: (record: NewStore) => void
}

/** The watcher of every store in use, at every depth. */
export class Hierarchy {
  readonly #context: NodeContext
  readonly #options: HierarchyOptions

  constructor(context: NodeContext, options: HierarchyOptions) {
    this.#context = context
    this.#options = options
  }

  /** Takes over what tables say. Those of `changed` are read anew, others as they were read last. */
  settle(changed: ReadonlySet<IdKey>): void {
    const { entries } = this.#options
    for (const [key, entry] of entries) {
      if (!entry.ready || entry.open === undefined) entry.declared = undefined
      else if (entry.declared === undefined || changed.has(key)) entry.declared = declarationsOf(entry.open)
    }
    const known = new Map([...entries].map(([key, entry]) => [key, viewOf(entry)]))
    for (const change of compareChildren(known)) this.#apply(change)
    for (const entry of entries.values()) if (isEnded(entry)) this.#options.setState(entry, 'destroyed')
  }

  /** The stores in use that declare this one as their child. */
  declarers(id: StoreId): StoreId[] {
    const key = idKey(id)
    return [...this.#options.entries.values()]
      .filter(({ declared }) => declared?.has(key) === true)
      .map(({ record }) => record.id)
  }

  /** A child is called what its parent says, a root what it says itself; one that is closed, what it was called last. */
  refreshNames(): void {
    for (const entry of this.#options.entries.values()) {
      const { id, name } = entry.record
      const found = nameOf(entry)
      if (found === undefined || found === name) continue
      this.#context.meta.setStoreName(id, found)
      entry.record = { ...entry.record, name: found }
    }
  }

  #apply(change: ChildChange): void {
    if (change.kind === 'appeared') {
      const { parentId, child, state } = change
      this.#options.add({
        id: child.child,
        parentId,
        storeType: child.storeType,
        state,
        createdAt: this.#context.clock.wallMs(),
        creation: undefined,
        name: child.alias,
      })
      return
    }
    const entry = this.#options.entries.get(idKey(change.id))
    assert(entry !== undefined, 'what changes is recorded')
    switch (change.kind) {
      case 'state':
        return this.#options.setState(entry, change.state)
      case 'moved':
        this.#context.meta.setParent(change.id, change.parentId)
        entry.record = { ...entry.record, parentId: change.parentId }
        entry.refusal = undefined
        if (change.state !== entry.record.state) this.#options.setState(entry, change.state)
        return
      case 'disowned':
        return this.#disown(entry, change.parentId)
    }
  }

  /** It was fetched for this declaration alone, so what was fetched goes. */
  #disown(entry: StoreEntry, parentId: StoreId): void {
    const { id } = entry.record
    this.#context.logger.warn('store.disowned', { storeId: id, parentId })
    entry.disowned.add(idKey(parentId))
    entry.refusal = parentForeign(id)
    this.#options.setState(entry, 'left')
    this.#context.meta.beginDeletion([{ id, hold: undefined }])
    entry.record = { ...entry.record, isDeleting: true }
  }
}

function declarationsOf({ kernel }: NonNullable<StoreEntry['open']>): StoreEntry['declared'] {
  const declared = new Map<IdKey, ChildEntry>()
  let destroyed = 0
  for (const child of readChildren(kernel.tables().system)) {
    // Tombstones take no room from the living.
    const isGone = child.status === 'destroyed'
    if (isGone ? destroyed === MAX_CHILDREN : declared.size - destroyed === MAX_CHILDREN) continue
    if (isGone) destroyed += 1
    declared.set(idKey(child.child), child)
  }
  return declared
}

function viewOf({ record, hasData, open, disowned, declared }: StoreEntry): KnownStore {
  const { id, parentId, state, isComplete, isDeleting } = record
  const strategy = open && readStrategy(open.kernel.tables().system)
  return {
    id,
    parentId,
    state,
    isComplete,
    isDeleting,
    hasData,
    disowned,
    declares: declared,
    named: strategy && { parent: strategy.parent },
  }
}

/** A root whose own table says that it is destroyed. A child is destroyed by its parent. */
function isEnded({ record, ready, open }: StoreEntry): boolean {
  if (record.parentId !== undefined || record.state !== 'active' || !ready || open === undefined) return false
  return readDestroyed(open.kernel.tables().system)
}

function nameOf(entry: StoreEntry): string | undefined {
  const parent = entry.parent()
  if (parent === undefined) return entry.open && readName(entry.open.kernel.tables().system)
  return parent.declared?.get(idKey(entry.record.id))?.alias
}
