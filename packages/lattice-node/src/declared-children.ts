/**
 * What open stores declare of their children, compared with what is recorded here.
 *
 * Level-triggered: it looks at things as they are, so an event that was missed or came twice changes nothing. Pure.
 *
 * Both sides have to agree. Any admin may declare any id, so a declaration alone only has the store fetched, once it is
 * nowhere else here. What is done to it by a declaration, from archiving to deleting its data, is done only where it is
 * recorded under that parent, and it is recorded there only while its own table, once that can be read, names the parent.
 *
 * @module
 */
import { equalBytes, idKey, type IdKey, type StoreId } from '@lattice/model'
import type { ChildEntry } from '@lattice/systemstore'
import type { MetaStoreState } from './meta-db.ts'

/** Children of one store that are looked at, and as many that are destroyed: bounds what an admin makes every node hold. */
export const MAX_CHILDREN = 4096

/** A store that is recorded here. */
export interface KnownStore {
  readonly id: StoreId
  readonly parentId: StoreId | undefined
  readonly state: MetaStoreState
  readonly isComplete: boolean
  readonly hasData: boolean
  readonly isDeleting: boolean
  /** The parent that its own table names, if any; undefined while that cannot be read. */
  readonly named: { readonly parent: StoreId | undefined } | undefined
  /** Parents whose declaration it was found not to bear out. */
  readonly disowned: ReadonlySet<IdKey>
  /** The children it declares; undefined while it is not in use. */
  readonly declares: ReadonlyMap<IdKey, ChildEntry> | undefined
}

/** Something recorded that has to change. */
export type ChildChange =
  | {
      readonly kind: 'appeared'
      readonly parentId: StoreId
      readonly child: ChildEntry
      readonly state: MetaStoreState
    }
  | { readonly kind: 'state'; readonly id: StoreId; readonly state: MetaStoreState }
  /** It belongs under another parent, or under none. */
  | {
      readonly kind: 'moved'
      readonly id: StoreId
      readonly parentId: StoreId | undefined
      readonly state: MetaStoreState
    }
  /** It was fetched for a declaration that it does not bear out. */
  | { readonly kind: 'disowned'; readonly id: StoreId; readonly parentId: StoreId }

interface Declaration {
  readonly parentId: StoreId
  readonly child: ChildEntry
}

type Stores = ReadonlyMap<IdKey, KnownStore>

/** Every difference between what is declared and what is recorded. */
export function compareChildren(stores: Stores): ChildChange[] {
  const declared = declarationsOf(stores)
  const changes: ChildChange[] = []
  for (const [key, declarations] of declared) {
    if (stores.has(key)) continue
    // One that is fetched goes first: whose it really is, its table will tell.
    const [first] = declarations.toSorted((a, b) => Number(a.child.independent) - Number(b.child.independent))
    if (first !== undefined) changes.push({ kind: 'appeared', ...first, state: stateWhenNew(first.child) })
  }
  for (const [key, store] of stores) {
    const change = compareStore(stores, store, declared.get(key) ?? [])
    if (change !== undefined) changes.push(change)
  }
  return changes
}

function declarationsOf(stores: Stores): Map<IdKey, Declaration[]> {
  const declared = new Map<IdKey, Declaration[]>()
  for (const { id: parentId, declares } of stores.values()) {
    for (const [key, child] of declares ?? []) {
      const others = declared.get(key)
      if (others === undefined) declared.set(key, [{ parentId, child }])
      else others.push({ parentId, child })
    }
  }
  return declared
}

function compareStore(
  stores: Stores,
  store: KnownStore,
  declarations: readonly Declaration[],
): ChildChange | undefined {
  const { id, parentId, state, named } = store
  if (state === 'creating' || store.isDeleting) return undefined
  if (named !== undefined && !isSame(named.parent, parentId)) return settleMismatch(stores, store, declarations)
  if (parentId === undefined) return undefined
  const own = declarations.find((declaration) => isSame(declaration.parentId, parentId))
  if (named === undefined && !isProven(store)) {
    const other = declarations.find((declaration) => isBetterGuess(stores, store, { other: declaration, own }))
    if (other !== undefined) {
      return { kind: 'moved', id, parentId: other.parentId, state: stateWhenNew(other.child) }
    }
  }
  const next = own === undefined ? stateUndeclared(stores, store) : nextState(store, own.child)
  return next === state ? undefined : { kind: 'state', id, state: next }
}

/** Its own table names another parent than the one it is recorded under. */
function settleMismatch(
  stores: Stores,
  { id, parentId, state, named }: KnownStore,
  declarations: readonly Declaration[],
): ChildChange | undefined {
  const rightful = named?.parent
  const isDeclaredThere = declarations.some((declaration) => isSame(declaration.parentId, rightful))
  if (rightful !== undefined && isDeclaredThere && !isWithin(stores, rightful, id)) {
    return { kind: 'moved', id, parentId: rightful, state }
  }
  if (parentId === undefined) return undefined
  // What was here for another reason than this declaration stays, on its own.
  return state === 'bootstrapping'
    ? { kind: 'disowned', id, parentId }
    : { kind: 'moved', id, parentId: undefined, state }
}

/**
 * It has been here as what it is recorded as, so that no other declaration means anything. Files alone do not say so: an
 * attempt to fetch it leaves an empty log.
 */
function isProven({ isComplete, hasData }: KnownStore): boolean {
  return isComplete && hasData
}

/** Of a store of which nothing is known yet: another parent may be the true one, where the recorded one cannot be. */
function isBetterGuess(
  stores: Stores,
  store: KnownStore,
  { other, own }: { readonly other: Declaration; readonly own: Declaration | undefined },
): boolean {
  const { id, parentId, state, hasData, disowned } = store
  if (isSame(other.parentId, parentId) || disowned.has(idKey(other.parentId))) return false
  if (other.child.status !== 'active' || isWithin(stores, other.parentId, id)) return false
  if (own === undefined || own.child.status !== 'active' || (own.child.independent && !other.child.independent)) {
    return true
  }
  // Only what was disowned is left without having been here, under a parent whose peers it was to have.
  return !own.child.independent && state === 'left' && !hasData
}

function stateWhenNew({ status, independent }: ChildEntry): MetaStoreState {
  // Its peers are its own, and this node is none of them as far as it knows: known, and not taken part in.
  if (status === 'active') return independent ? 'left' : 'bootstrapping'
  return status
}

/** What a recorded child becomes by what its parent declares. */
function nextState({ state, isComplete, hasData }: KnownStore, child: ChildEntry): MetaStoreState {
  switch (child.status) {
    case 'active':
      if (state !== 'archived') return state
      if (isComplete) return 'active'
      return hasData ? 'bootstrapping' : stateWhenNew(child)
    case 'archived':
      if (state === 'left') return hasData ? 'left' : 'archived'
      return state === 'destroyed' ? state : 'archived'
    case 'destroyed':
      return 'destroyed'
  }
}

/**
 * What a recorded child becomes that its parent declares no more, as where whoever declared it turns out to have been removed
 * before: what is here stays in use. One that never came is fetched from nobody, and waits for a declaration.
 */
function stateUndeclared(stores: Stores, { parentId, state }: KnownStore): MetaStoreState {
  const isParentRead = parentId !== undefined && stores.get(idKey(parentId))?.declares !== undefined
  return state === 'bootstrapping' && isParentRead ? 'archived' : state
}

/** True when `inner` is `outer` or below it. */
function isWithin(stores: Stores, inner: StoreId, outer: StoreId): boolean {
  const seen = new Set<IdKey>()
  for (let at: StoreId | undefined = inner; at !== undefined; at = stores.get(idKey(at))?.parentId) {
    if (equalBytes(at, outer)) return true
    if (seen.has(idKey(at))) return false
    seen.add(idKey(at))
  }
  return false
}

function isSame(a: StoreId | undefined, b: StoreId | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b)
}
