/**
 * What is excluded, on disk: of each lane that ends so, the positions that are.
 *
 * @module
 */
import type { Database } from '@lattice/storage'

/** Positions of a lane, both inclusive: the last is the lane's last. */
export interface ExcludedRow {
  readonly lane: number
  readonly first: number
  readonly last: number
}

/** Of one lane; undefined where nothing of it is excluded. */
export function isSameRow(a: ExcludedRow | undefined, b: ExcludedRow | undefined): boolean {
  return a?.first === b?.first && a?.last === b?.last
}

export const EXCLUDED_TABLE = `CREATE TABLE excluded (
     lane INTEGER PRIMARY KEY,
     first INTEGER NOT NULL,
     last INTEGER NOT NULL
   );`

export interface ExcludedRows {
  readonly all: () => readonly ExcludedRow[]
  /** Inside a transaction: these and no others. */
  readonly replace: (rows: Iterable<ExcludedRow>) => void
}

export function createExcludedRows(database: Database): ExcludedRows {
  const all = database.prepare<ExcludedRow>('SELECT lane, first, last FROM excluded ORDER BY lane')
  const clear = database.prepare('DELETE FROM excluded')
  const insert = database.prepare('INSERT INTO excluded VALUES (?, ?, ?)')
  return {
    all: () => all.all(),
    replace: (rows) => {
      clear.run()
      for (const { lane, first, last } of rows) insert.run(lane, first, last)
    },
  }
}
