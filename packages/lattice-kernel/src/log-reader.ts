/**
 * Reading the witnessed part of a log. What a commit has not written yet is not here.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { type Database, toPlainBytes } from '@lattice/storage'
import { entryOfRow, type LogEntry } from './log-entry.ts'
import type { IntentionRow } from './log-schema.ts'

export interface LogReader {
  readonly at: (seq: number) => LogEntry | undefined
  /** Records from `fromSeq` on, oldest first. */
  readonly from: (fromSeq: number, limit: number) => readonly LogEntry[]
  /** Records before `beforeSeq`, newest first. */
  readonly before: (beforeSeq: number, limit: number) => readonly LogEntry[]
  /** An author's intentions at a position of its chain: several when it forked. */
  readonly atPosition: (author: number, position: number) => readonly LogEntry[]
  /** An author's intentions from a position on, by position. */
  readonly chainFrom: (author: number, position: number, limit: number) => readonly LogEntry[]
  /** The seq of the first record from `seq` on with a witness signature. */
  readonly signedFrom: (seq: number) => number | undefined
  /** (seq, wall, id) of every record after `seq`, for indexes. */
  readonly keysAfter: (seq: number, limit: number) => readonly { seq: number; wall: number; id: Buffer }[]
  readonly forks: (limit: number) => readonly { author: number; first_seq: number; second_seq: number }[]
  readonly forkCount: () => number
  /** Ids of every author's tips, in no order. */
  readonly tipIds: () => readonly Uint8Array[]
}

export function createLogReader(database: Database): LogReader {
  const { path } = database
  const at = database.prepare<IntentionRow>('SELECT * FROM intentions WHERE seq = ?')
  const from = database.prepare<IntentionRow>('SELECT * FROM intentions WHERE seq >= ? ORDER BY seq LIMIT ?')
  const before = database.prepare<IntentionRow>('SELECT * FROM intentions WHERE seq < ? ORDER BY seq DESC LIMIT ?')
  const atPosition = database.prepare<IntentionRow>(
    'SELECT * FROM intentions WHERE author = ? AND position = ? ORDER BY seq',
  )
  const chainFrom = database.prepare<IntentionRow>(
    'SELECT * FROM intentions WHERE author = ? AND position >= ? ORDER BY position, seq LIMIT ?',
  )
  const signedFrom = database.prepare<{ readonly seq: number }>(
    'SELECT seq FROM intentions WHERE seq >= ? AND witness_signature IS NOT NULL ORDER BY seq LIMIT 1',
  )
  const keys = database.prepare<{ readonly seq: number; readonly wall: number; readonly id: Buffer }>(
    'SELECT seq, wall, id FROM intentions WHERE seq > ? ORDER BY seq LIMIT ?',
  )
  const forks = database.prepare<{ readonly author: number; readonly first_seq: number; readonly second_seq: number }>(
    'SELECT * FROM forks LIMIT ?',
  )
  const forkCount = database.prepare<{ readonly count: number }>('SELECT count(*) AS count FROM forks')
  const tips = database.prepare<{ readonly id: Buffer }>('SELECT i.id FROM tips t JOIN intentions i ON i.seq = t.seq')
  const entry = (row: IntentionRow): LogEntry => entryOfRow(path, row)

  return {
    at: (seq) => {
      const row = at.get(seq)
      return row === undefined ? undefined : entry(row)
    },
    from: (seq, limit) => from.all(seq, limit).map(entry),
    before: (seq, limit) => before.all(seq, limit).map(entry),
    atPosition: (author, position) => atPosition.all(author, position).map(entry),
    chainFrom: (author, position, limit) => chainFrom.all(author, position, limit).map(entry),
    signedFrom: (seq) => signedFrom.get(seq)?.seq,
    keysAfter: (seq, limit) => keys.all(seq, limit),
    forks: (limit) => forks.all(limit),
    tipIds: () => tips.all().map(({ id }) => toPlainBytes(id)),
    forkCount: () => {
      const row = forkCount.get()
      assert(row !== undefined, 'a count has one row')
      return row.count
    },
  }
}
