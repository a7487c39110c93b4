/**
 * What is done to peers is done where they are.
 *
 * @module
 */
import type { StoreId } from '@lattice/model'
import type { ReadStoreTables } from '@lattice/store-base'
import { readName, readStrategy } from '@lattice/systemstore'
import { NodeError, shortId } from './errors.ts'
import { MAX_INHERITANCE, type TablesOf } from './store-peers.ts'

/** The store whose peers count for one with these tables: itself, or the nearest above it that has peers of its own. */
export function peersAt(
  { id, tables }: { readonly id: StoreId; readonly tables: ReadStoreTables },
  tablesOf: TablesOf,
): StoreId {
  let [at, current]: [StoreId, ReadStoreTables | undefined] = [id, tables]
  for (let depth = 0; current !== undefined && depth < MAX_INHERITANCE; depth += 1) {
    const strategy = readStrategy(current.system)
    if (strategy?.kind !== 'inherited') return at
    at = strategy.parent
    current = tablesOf(at)
  }
  return at
}

/** Throws `NOT_SUPPORTED`, naming the store to turn to, where the peers are another store's. `act` as in `invite peers`. */
export function refuseInherited(
  store: { readonly id: StoreId; readonly tables: ReadStoreTables },
  { tablesOf, act }: { readonly tablesOf: TablesOf; readonly act: string },
): void {
  if (readStrategy(store.tables.system)?.kind !== 'inherited') return
  const parent = peersAt(store, tablesOf)
  const tables = tablesOf(parent)
  const name = (tables && readName(tables.system)) ?? shortId(parent)
  throw new NodeError('NOT_SUPPORTED', `this store has the peers of \`${name}\`: ${act} there instead`, {
    detail: { parent: name },
  })
}
