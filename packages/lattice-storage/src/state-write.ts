/**
 * Writes a change of state in slices, inside one transaction.
 *
 * Rows go in sorted by key, so that rows of one page are written together. The rejections and the cursor go last, with
 * the commit: until then the disk's cursor is the one before, whatever is interrupted.
 *
 * @module
 */
import { assert, type IdKey } from '@lattice/model'
import type { Database, OpenTransaction } from './database.ts'
import { keyBytes } from './key-text.ts'
import type { ReadRowChanges } from './row-changes.ts'
import type { TableName } from './sqlite-table.ts'
import type { StateChange, StateCursor, StateWrite } from './state-change.ts'

/** What is known of the disk. */
export interface DiskState {
  cursor: StateCursor
  /** Rows written since the last checkpoint. */
  rows: number
  /** How many rejections there are, once it was asked. */
  rejections: number | undefined
  readonly readCursor: () => StateCursor
}

const NO_BYTES = new Uint8Array(0)
/** Rows written between two looks at the time. */
const ROWS_PER_LOOK = 32
/** Keys brought into order between two looks at the time. */
const KEYS_PER_LOOK = 256

export function createStateWrite(database: Database, disk: DiskState, change: StateChange): StateWrite {
  assert(change.cursor.seq >= disk.cursor.seq, 'the cursor only moves on')
  const parts = [
    writeRows(database, 'system', change.system),
    writeRows(database, 'app', change.app),
    writeRejections(database, change),
  ]
  let transaction: OpenTransaction | undefined
  let isOver = false

  function writeSome(hasTime: () => boolean): boolean {
    transaction ??= database.begin()
    for (let part = parts[0]; part !== undefined; part = parts[0]) {
      if (part()) parts.shift()
      if (!hasTime()) return false
    }
    return true
  }

  function commit(): void {
    assert(transaction !== undefined, 'rows are written inside a transaction')
    const moveCursor = 'UPDATE state_meta SET cursor_seq = ?, cursor_hash = ?, made_with = ? WHERE cursor_seq = ?'
    const { seq, chainHash, madeWith } = change.cursor
    const moved = database.prepare(moveCursor).run(seq, chainHash, madeWith ?? NO_BYTES, disk.cursor.seq)
    assert(moved === 1, 'the cursor on disk is the one in memory')
    try {
      transaction.commit()
    } catch (error) {
      // The disk may have kept the commit all the same; what it says counts.
      if (disk.readCursor().seq !== seq || seq === disk.cursor.seq) throw error
    }
    disk.cursor = change.cursor
    disk.rows += change.system.size() + change.app.size() + 1
    disk.rejections = undefined
  }

  function abandon(): void {
    isOver = true
    transaction?.rollback()
  }

  return {
    step: (hasTime) => {
      assert(!isOver, 'a write that has ended writes nothing more')
      try {
        if (parts.length > 0) {
          writeSome(hasTime)
          return false
        }
        // In a turn of its own: it writes whatever is still in the cache.
        commit()
        isOver = true
        return true
      } catch (error) {
        abandon()
        throw error
      }
    },
    abandon,
  }
}

/** Each call writes a few; answers true when there is nothing left. */
type Part = () => boolean

function writeRows(database: Database, name: TableName, rows: ReadRowChanges): Part {
  const set = database.prepare(
    `INSERT INTO ${name} VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
  )
  const remove = database.prepare(`DELETE FROM ${name} WHERE key = ?`)
  let keys: readonly IdKey[] | undefined
  let next = 0
  return () => {
    if (!rows.settle(KEYS_PER_LOOK)) return false
    keys ??= rows.slice({ reverse: false }, Infinity)
    const until = Math.min(next + ROWS_PER_LOOK, keys.length)
    for (; next < until; next += 1) {
      const key = keys[next]
      assert(key !== undefined, 'a row to write has a key')
      const value = rows.get(key)
      assert(value !== undefined, 'a frozen row stays')
      if (value === null) remove.run(keyBytes(key))
      else set.run(keyBytes(key), value)
    }
    return next === keys.length
  }
}

function writeRejections(database: Database, { rejections }: StateChange): Part {
  const reject = database.prepare('INSERT INTO rejections VALUES (?, ?, ?)')
  let next = 0
  return () => {
    for (const { seq, id, reason } of rejections.slice(next, next + ROWS_PER_LOOK)) reject.run(seq, id, reason)
    next = Math.min(next + ROWS_PER_LOOK, rejections.length)
    return next === rejections.length
  }
}
