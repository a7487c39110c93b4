/**
 * The epoch book on disk: which records of the log are in it, and how far the log was looked at.
 *
 * @module
 */
import type { Database } from '@lattice/storage'

/** A record in the book. */
export interface BookRow {
  readonly seq: number
  /** Of an epoch that is none by its own past. */
  readonly fault: string | null
}

/** All that is kept, ascending. */
export interface BookRows {
  readonly records: readonly BookRow[]
  /** Seqs of the acks of epochs that say something new. */
  readonly acks: readonly number[]
}

/** The tables of the book. `epoch_cursor`: the last record of the log that was looked at. */
export const EPOCH_TABLES = `CREATE TABLE epoch_records (seq INTEGER PRIMARY KEY, fault TEXT);
   CREATE TABLE epoch_acks (seq INTEGER PRIMARY KEY);
   CREATE TABLE epoch_cursor (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL);
   INSERT INTO epoch_cursor VALUES (1, 0);`

export interface EpochRows {
  /** How far the book goes, and how far all the other indexes do. */
  readonly read: () => { readonly bookSeq: number; readonly headSeq: number }
  readonly all: () => BookRows
  /** Inside a transaction. */
  readonly write: (rows: BookRows, upto: number) => void
}

interface SeqRow {
  readonly seq: number
}

export function createEpochRows(database: Database): EpochRows {
  const cursor = database.prepare<SeqRow>('SELECT seq FROM epoch_cursor')
  const head = database.prepare<SeqRow>('SELECT head_seq AS seq FROM log_meta')
  const all = database.prepare<BookRow>('SELECT seq, fault FROM epoch_records ORDER BY seq')
  const allAcks = database.prepare<SeqRow>('SELECT seq FROM epoch_acks ORDER BY seq')
  const insert = database.prepare('INSERT INTO epoch_records VALUES (?, ?)')
  const insertAck = database.prepare('INSERT INTO epoch_acks VALUES (?)')
  const move = database.prepare('INSERT OR REPLACE INTO epoch_cursor VALUES (1, ?)')
  return {
    read: () => ({ bookSeq: cursor.get()?.seq ?? 0, headSeq: head.get()?.seq ?? 0 }),
    all: () => ({ records: all.all(), acks: allAcks.all().map(({ seq }) => seq) }),
    write: ({ records, acks }, upto) => {
      for (const { seq, fault } of records) insert.run(seq, fault)
      for (const seq of acks) insertAck.run(seq)
      move.run(upto)
    },
  }
}
