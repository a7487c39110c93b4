/**
 * What a state file says of itself: whose it is, who made it and how far in the log it reaches.
 *
 * @module
 */
import { equalBytes, type StoreId, toHash, ZERO_HASH } from '@lattice/model'
import type { Database } from './database.ts'
import { StateDamaged } from './errors.ts'
import { toPlainBytes } from './plain-bytes.ts'
import type { StateCursor } from './state-change.ts'

/** Whose state a file is to be. */
export interface StateOwner {
  readonly path: string
  readonly storeId: StoreId
  /** Version of whoever makes the rows: another one would make others. */
  readonly projectorVersion: string
}

interface MetaRow {
  readonly store_id: Buffer
  readonly projector_version: string
  readonly cursor_seq: number
  readonly cursor_hash: Buffer
  readonly made_with: Buffer
}

const NO_BYTES = new Uint8Array(0)

/**
 * The cursor on disk. A file without one is new: it is marked as the owner's, along with what `alsoNew` writes. Throws
 * `StateDamaged` for a file that is another's.
 */
export function readCursor(database: Database, owner: StateOwner, alsoNew?: () => void): StateCursor {
  const { path, storeId, projectorVersion } = owner
  const row = database.prepare<MetaRow>('SELECT * FROM state_meta').get()
  if (row === undefined) {
    database.transaction(() => {
      database
        .prepare('INSERT INTO state_meta VALUES (1, ?, ?, 0, ?, ?)')
        .run(storeId, projectorVersion, ZERO_HASH, NO_BYTES)
      alsoNew?.()
    })
    return { seq: 0, chainHash: ZERO_HASH }
  }
  if (!equalBytes(row.store_id, storeId)) throw new StateDamaged(path, 'it belongs to another store')
  if (row.projector_version !== projectorVersion) {
    throw new StateDamaged(path, `it was made by ${row.projector_version}, this is ${projectorVersion}`)
  }
  if (row.cursor_hash.length !== ZERO_HASH.length || row.cursor_seq < 0) throw new StateDamaged(path, 'bad cursor')
  const cursor = { seq: row.cursor_seq, chainHash: toHash(toPlainBytes(row.cursor_hash)) }
  return row.made_with.length === 0 ? cursor : { ...cursor, madeWith: toPlainBytes(row.made_with) }
}

/** Moves the cursor, inside a transaction; answers whether it was where it was thought to be. */
export function moveCursor(database: Database, from: StateCursor, to: StateCursor): boolean {
  const move = 'UPDATE state_meta SET cursor_seq = ?, cursor_hash = ?, made_with = ? WHERE cursor_seq = ?'
  return database.prepare(move).run(to.seq, to.chainHash, to.madeWith ?? NO_BYTES, from.seq) === 1
}

/** Gives the cursor another seq. */
export function recount(database: Database, from: StateCursor, seq: number): StateCursor {
  if (from.seq === seq) return from
  database.transaction(() => database.prepare('UPDATE state_meta SET cursor_seq = ?').run(seq))
  return { ...from, seq }
}
