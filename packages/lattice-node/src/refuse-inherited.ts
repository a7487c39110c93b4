/**
 * What is done to peers is done where they are.
 *
 * @module
 */
import type { ReadStoreTables } from '@lattice/store-base'
import { readName } from '@lattice/systemstore'
import { NodeError, shortId } from './errors.ts'
import { peerHolder, type TablesOf } from './store-peers.ts'

/** Throws `NOT_SUPPORTED`, naming the store to turn to, where the peers are another store's. `act` as in `invite peers`. */
export function refuseInherited(
  tables: ReadStoreTables,
  { tablesOf, act }: { readonly tablesOf: TablesOf; readonly act: string },
): void {
  const { id, system } = peerHolder(tables, tablesOf)
  if (id === undefined) return
  const name = (system && readName(system)) ?? shortId(id)
  throw new NodeError('NOT_SUPPORTED', `this store has the peers of \`${name}\`: ${act} there instead`, {
    detail: { parent: name },
  })
}
