/**
 * Writes a change of state in slices, inside one transaction.
 *
 * Rows go in sorted by key, so that rows of one page are written together. The rejections and the cursor go last, with
 * the commit, and so does the root where it is kept: until then the disk has the ones before, whatever is interrupted.
 *
 * @module
 */
import { assert, type IdKey } from '@lattice/model'
import type { Database, OpenTransaction } from './database.ts'
import type { KeptRoot } from './kept-root.ts'
import { keyBytes } from './key-text.ts'
import type { ReadRowChanges } from './row-changes.ts'
import { createRowWriter, type RowWriter } from './row-writer.ts'
import type { StateChange, StateCursor, StateWrite } from './state-change.ts'
import { moveCursor } from './state-meta.ts'

/** What is known of the disk. */
export interface DiskState {
  cursor: StateCursor
  /** Rows written since the last checkpoint. */
  rows: number
  /** How many rejections there are, once it was asked. */
  rejections: number | undefined
  readonly readCursor: () => StateCursor
  /** The root, where it is kept. */
  readonly root: KeptRoot | undefined
}

/** Rows written between two looks at the time. */
const ROWS_PER_LOOK = 32
/** And bytes of their values, where these are large. */
const BYTES_PER_LOOK: number = 256 * 1024
/** Keys brought into order between two looks at the time. */
const KEYS_PER_LOOK = 256

export function createStateWrite(database: Database, disk: DiskState, change: StateChange): StateWrite {
  assert(change.cursor.seq >= disk.cursor.seq, 'the cursor only moves on')
  const sum = disk.root?.begin()
  const parts = [
    writeRows(createRowWriter(database, 'system', sum), change.system),
    writeRows(createRowWriter(database, 'app', sum), change.app),
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
    const { seq } = change.cursor
    const isMoved = moveCursor(database, disk.cursor, change.cursor)
    assert(isMoved, 'the cursor on disk is the one in memory')
    if (sum !== undefined) disk.root?.save(sum)
    try {
      transaction.commit()
    } catch (error) {
      // The disk may have kept the commit all the same; what it says counts.
      if (disk.readCursor().seq !== seq || seq === disk.cursor.seq) throw error
    } finally {
      disk.root?.settle()
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

function writeRows(write: RowWriter, rows: ReadRowChanges): Part {
  let keys: readonly IdKey[] | undefined
  let next = 0
  return () => {
    if (!rows.settle(KEYS_PER_LOOK)) return false
    keys ??= rows.slice({ reverse: false }, Infinity)
    const until = Math.min(next + ROWS_PER_LOOK, keys.length)
    for (let bytes = 0; next < until && bytes < BYTES_PER_LOOK; next += 1) {
      const key = keys[next]
      assert(key !== undefined, 'a row to write has a key')
      const value = rows.get(key)
      assert(value !== undefined, 'a frozen row stays')
      write(keyBytes(key), value)
      bytes += value?.length ?? 0
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
