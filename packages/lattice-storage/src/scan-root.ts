/**
 * The state root made from the rows themselves: what a kept root is checked against.
 *
 * @module
 */
import type { Crypto, ReadTable, TableRow } from '@lattice/model'
import type { TableName } from './sqlite-table.ts'
import { createStateSum, type StateRoot } from './state-root.ts'

export interface RootScan {
  /** Takes in up to `rows` rows; answers true when there are no more. */
  readonly step: (rows: number) => boolean
  /** Of the rows taken in. */
  readonly root: () => StateRoot
}

/** Reads all rows, in steps. What changes meanwhile behind the scan is missed, so keep writers away or read a snapshot. */
export function createRootScan(crypto: Crypto, tables: Readonly<Record<TableName, ReadTable>>): RootScan {
  const sum = createStateSum(crypto)
  const rows = rowsOf(tables)
  return {
    step: (count) => {
      for (let taken = 0; taken < count; taken += 1) {
        const next = rows.next()
        if (next.done === true) return true
        const [table, { key, value }] = next.value
        sum.change(table, key, { before: undefined, after: value })
      }
      return false
    },
    root: sum.root,
  }
}

/** Reads all rows at once. */
export function scanRoot(crypto: Crypto, tables: Readonly<Record<TableName, ReadTable>>): StateRoot {
  const scan = createRootScan(crypto, tables)
  scan.step(Infinity)
  return scan.root()
}

function* rowsOf(tables: Readonly<Record<TableName, ReadTable>>): Generator<readonly [TableName, TableRow]> {
  for (const row of tables.system.scan({})) yield ['system', row]
  for (const row of tables.app.scan({})) yield ['app', row]
}
