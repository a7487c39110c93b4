/**
 * The state root on disk: it changes in the transaction that changes the rows, so it is theirs whatever is interrupted.
 *
 * @module
 */
import { assert, type Crypto, type Hash } from '@lattice/model'
import type { Database } from './database.ts'
import { StateDamaged } from './errors.ts'
import { LT_HASH_BYTES } from './lt-hash.ts'
import { toPlainBytes } from './plain-bytes.ts'
import { createStateSum, type StateRoot, type StateSum } from './state-root.ts'

export interface KeptRoot {
  /** What is committed. */
  readonly root: () => StateRoot
  /** What is committed, to be changed along with rows. */
  readonly begin: () => StateSum
  /** Writes the sum, inside the transaction that has changed its rows and right before it commits. */
  readonly save: (sum: StateSum) => void
  /** A transaction that has saved has ended, this way or that: the disk says how. */
  readonly settle: () => void
}

interface RootRow {
  readonly lanes: Buffer
  readonly system_rows: number
  readonly app_rows: number
}

/** The root that this database keeps. Throws `StateDamaged` when it keeps none. */
export function openKeptRoot(database: Database, crypto: Crypto): KeptRoot {
  let known: StateRoot | undefined
  const begin = (): StateSum => readSum(database, crypto)
  known = begin().root()
  return {
    root: () => (known ??= begin().root()),
    begin,
    save: (sum) => {
      const { system, app } = sum.rows()
      const update = 'UPDATE state_root SET lanes = ?, system_rows = ?, app_rows = ?'
      const changed = database.prepare(update).run(sum.lanes(), system, app)
      assert(changed === 1, 'a root that was read is there')
    },
    settle: () => {
      known = undefined
    },
  }
}

/** From here on the database keeps its root. It has no rows, and this is inside a transaction. */
export function insertEmptyRoot(database: Database, crypto: Crypto, expected?: Hash): void {
  database
    .prepare('INSERT INTO state_root VALUES (1, ?, 0, 0, ?)')
    .run(createStateSum(crypto).lanes(), expected ?? null)
}

/** A root that nobody keeps from here on would soon be wrong. */
export function dropRoot(database: Database): void {
  const isKept = database.prepare('SELECT one FROM state_root').get() !== undefined
  if (isKept) database.transaction(() => database.prepare('DELETE FROM state_root').run())
}

function readSum(database: Database, crypto: Crypto): StateSum {
  const row = database.prepare<RootRow>('SELECT lanes, system_rows, app_rows FROM state_root').get()
  if (row === undefined) throw new StateDamaged(database.path, 'it was written without its state root')
  const { lanes, system_rows: system, app_rows: app } = row
  const isPlausible = Buffer.isBuffer(lanes) && lanes.length === LT_HASH_BYTES && isCount(system) && isCount(app)
  if (!isPlausible) throw new StateDamaged(database.path, 'bad state root')
  return createStateSum(crypto, { lanes: toPlainBytes(lanes), rows: { system, app } })
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
