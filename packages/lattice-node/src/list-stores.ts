/**
 * The stores of a node as they are listed: each with its path, roots in order of creation, children after their parents.
 *
 * Names are those that the manager last read from the tables, so a store that is closed is still called something. Of any
 * depth, and total: one bad entry is shown as what it is and breaks no listing.
 *
 * @module
 */
import { equalBytes, idKey, type IdKey, type PublicKey, type StoreId } from '@lattice/model'
import { awaitedPeers } from './destroy-acks.ts'
import { toFailure, toRetriedFailure } from './failure.ts'
import type { NodeContext } from './node-context.ts'
import type { StoreSummary } from './store-types.ts'
import { outOfUse, stateOf, type StoreEntry, withAncestors } from './store-entry.ts'
import { pathSegments } from './store-names.ts'
import type { TablesOf } from './store-peers.ts'

/** What is asked of the store manager. */
export interface ListedStores {
  readonly context: NodeContext
  readonly entries: ReadonlyMap<IdKey, StoreEntry>
  readonly tablesOf: TablesOf
}

export function listStores(manager: ListedStores): StoreSummary[] {
  const families = familiesOf(manager)
  const listed: StoreSummary[] = []
  const done = new Set<StoreEntry>()
  const list = (top: readonly Placed[]): void => {
    const waiting = [...top].reverse()
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { entry, path } = next
      if (done.has(entry)) continue
      done.add(entry)
      listed.push(summarizeEntry(manager, entry, path))
      waiting.push(...place(families.get(idKey(entry.record.id)) ?? [], `${path}/`).reverse())
    }
  }
  list(place(families.get(undefined) ?? [], ''))
  // What is above itself is below no root. Nothing makes it so; it is shown all the same.
  list(
    place(
      [...manager.entries.values()].filter((entry) => !done.has(entry)),
      '',
    ),
  )
  return listed
}

/** One store, with its path. */
export function summaryOf(manager: ListedStores, id: StoreId): StoreSummary | undefined {
  const entry = manager.entries.get(idKey(id))
  return entry && summarizeEntry(manager, entry, pathOf(manager, entry))
}

/** Names from the root down. */
export function pathOf(manager: ListedStores, entry: StoreEntry): string {
  const families = familiesOf(manager)
  return withAncestors(entry)
    .map((at) => {
      const placed = place(families.get(parentKey(at)) ?? [at], '')
      return placed.find((sibling) => sibling.entry === at)?.path ?? ''
    })
    .reverse()
    .join('/')
}

interface Placed {
  readonly entry: StoreEntry
  readonly path: string
}

type Families = ReadonlyMap<IdKey | undefined, readonly StoreEntry[]>

/** Stores by their parent; those without one that is known here are roots. */
function familiesOf({ entries }: ListedStores): Families {
  const families = new Map<IdKey | undefined, StoreEntry[]>()
  for (const entry of entries.values()) {
    const key = parentKey(entry)
    const siblings = families.get(key)
    if (siblings === undefined) families.set(key, [entry])
    else siblings.push(entry)
  }
  return families
}

function parentKey(entry: StoreEntry): IdKey | undefined {
  const parent = entry.parent()
  return parent && idKey(parent.record.id)
}

function place(siblings: readonly StoreEntry[], above: string): Placed[] {
  const segments = pathSegments(
    siblings.map(({ record }) => ({ id: record.id, name: record.name, isGone: record.state === 'destroyed' })),
  )
  return siblings.map((entry, index) => ({ entry, path: above + (segments[index] ?? '') }))
}

function summarizeEntry(manager: ListedStores, entry: StoreEntry, path: string): StoreSummary {
  const { id, parentId, storeType, name } = entry.record
  return {
    id,
    storeType: entry.open?.storeType ?? storeType,
    name,
    parentId,
    state: stateOf(entry),
    path,
    error: errorOf(entry),
    headless: entry.open !== undefined && entry.open.machine === undefined,
    hasData: entry.hasData,
    awaiting: awaitingOf(manager, entry),
  }
}

/** Of what went with a store above it, the peers that are awaited there. */
function awaitingOf(manager: ListedStores, entry: StoreEntry): readonly PublicKey[] {
  const cause = outOfUse(entry)
  if (cause?.record.state !== 'destroyed' || !cause.hasData) return []
  return awaitedPeers(manager.context, cause, manager.tablesOf)
}

function errorOf(entry: StoreEntry): StoreSummary['error'] {
  if (entry.failure !== undefined) return toRetriedFailure(entry.failure)
  const failure = entry.bootstrap?.lastFailure() ?? entry.refusal
  return failure === undefined ? undefined : toFailure(failure)
}

/** True when nothing that is shown of the store is another. */
export function isSameSummary(a: StoreSummary, b: StoreSummary): boolean {
  return (
    a.state === b.state &&
    a.name === b.name &&
    a.path === b.path &&
    a.storeType === b.storeType &&
    a.headless === b.headless &&
    a.hasData === b.hasData &&
    a.error?.code === b.error?.code &&
    a.error?.message === b.error?.message &&
    (a.parentId === b.parentId ||
      (a.parentId !== undefined && b.parentId !== undefined && equalBytes(a.parentId, b.parentId))) &&
    a.awaiting.length === b.awaiting.length &&
    a.awaiting.every((peer, index) => equalBytes(peer, b.awaiting[index] ?? new Uint8Array()))
  )
}
