/**
 * The stores of a node as they are listed: each with its path, roots in order of creation, children after their parents.
 *
 * @module
 */
import { idKey, type StoreId } from '@lattice/model'
import { readChild, readName } from '@lattice/systemstore'
import { toFailure } from './failure.ts'
import type { StoreSummary } from './node-types.ts'
import { stateOf, type StoreEntry } from './store-entry.ts'
import type { StoreManager } from './store-manager.ts'
import { pathSegment } from './store-names.ts'

/** Deepest path shown; only a cycle that an admin declared could be deeper. */
const MAX_DEPTH = 16

export function listStores(manager: StoreManager): StoreSummary[] {
  const children = new Map<string, StoreEntry[]>()
  const roots: StoreEntry[] = []
  for (const entry of manager.entries.values()) {
    const { parentId } = entry.record
    if (parentId === undefined || manager.entry(parentId) === undefined) roots.push(entry)
    else children.set(idKey(parentId), [...(children.get(idKey(parentId)) ?? []), entry])
  }
  const listed: StoreSummary[] = []
  const list = (entry: StoreEntry, above: string, depth: number): void => {
    if (depth > MAX_DEPTH) return
    const summary = summarizeEntry(manager, entry, above)
    listed.push(summary)
    for (const child of children.get(idKey(entry.record.id)) ?? []) list(child, `${summary.path}/`, depth + 1)
  }
  for (const root of roots) list(root, '', 0)
  return listed
}

/** One store, with its path. */
export function summaryOf(manager: StoreManager, id: StoreId): StoreSummary | undefined {
  const entry = manager.entry(id)
  return entry && summarizeEntry(manager, entry, pathAbove(manager, entry, 0))
}

function summarizeEntry(manager: StoreManager, entry: StoreEntry, above: string): StoreSummary {
  const { id, parentId, storeType } = entry.record
  const name = nameOf(manager, entry)
  return {
    id,
    storeType: entry.open?.storeType ?? storeType,
    name,
    parentId,
    state: stateOf(entry),
    path: above + pathSegment(name, id),
    error: errorOf(entry),
    headless: entry.open !== undefined && entry.open.machine === undefined,
    hasData: true,
    awaiting: [],
  }
}

function errorOf(entry: StoreEntry): StoreSummary['error'] {
  const failure = entry.failure ?? entry.bootstrap?.lastFailure()
  return failure === undefined ? undefined : toFailure(failure)
}

/** A child's alias in its parent; a root's own name; while neither can be read, the name it is being created with. */
function nameOf(manager: StoreManager, { record, open }: StoreEntry): string {
  const { id, parentId, creation } = record
  const above = parentId === undefined ? undefined : manager.tablesOf(parentId)
  const alias = above && readChild(above.system, id)?.alias
  return alias ?? (open && readName(open.kernel.tables().system)) ?? creation?.name ?? ''
}

function pathAbove(manager: StoreManager, { record }: StoreEntry, depth: number): string {
  const parent = record.parentId === undefined ? undefined : manager.entry(record.parentId)
  if (parent === undefined || depth > MAX_DEPTH) return ''
  return `${pathAbove(manager, parent, depth + 1)}${pathSegment(nameOf(manager, parent), parent.record.id)}/`
}
