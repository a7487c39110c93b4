/**
 * Reading the witnessed part of a log. What a commit has not written yet is not here.
 *
 * @module
 */
import { assert, type Crypto, MAX_RUN_LENGTH } from '@lattice/model'
import type { Database } from '@lattice/storage'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import { decodeRecord, isWitnessSigned, recordBytes, type RecordSource } from './log-record.ts'
import type { ForkRow, RecordRow } from './log-schema.ts'

export interface LogReader {
  readonly at: (seq: number) => LogEntry | undefined
  /** Records from `fromSeq` on, oldest first. */
  readonly from: (fromSeq: number, limit: number) => readonly LogEntry[]
  /** Records before `beforeSeq`, newest first. */
  readonly before: (beforeSeq: number, limit: number) => readonly LogEntry[]
  /** The seq of the first record from `seq` on with a witness signature: one is never further than a run's length. */
  readonly signedFrom: (seq: number) => number | undefined
  readonly forks: (limit: number) => readonly ForkRow[]
  readonly forkCount: () => number
}

/** `isGone`: of what a prune took and did not delete yet. Pages are the shorter for it. */
export function createLogReader(
  database: Database,
  crypto: Crypto,
  isGone: (place: IntentionMeta) => boolean = () => false,
): LogReader {
  const source: RecordSource = { path: database.path, crypto }
  const at = database.prepare<RecordRow>('SELECT * FROM intentions WHERE seq = ?')
  const from = database.prepare<RecordRow>('SELECT * FROM intentions WHERE seq >= ? ORDER BY seq LIMIT ?')
  const before = database.prepare<RecordRow>('SELECT * FROM intentions WHERE seq < ? ORDER BY seq DESC LIMIT ?')
  const forks = database.prepare<ForkRow>('SELECT * FROM forks LIMIT ?')
  const forkCount = database.prepare<{ readonly count: number }>('SELECT count(*) AS count FROM forks')
  const entry = ({ seq, record }: RecordRow): LogEntry => decodeRecord(source, seq, recordBytes(source, seq, record))

  const isHere = ({ meta }: LogEntry): boolean => !isGone(meta)

  return {
    at: (seq) => {
      const row = at.get(seq)
      const found = row === undefined ? undefined : entry(row)
      return found === undefined || !isHere(found) ? undefined : found
    },
    from: (seq, limit) => from.all(seq, limit).map(entry).filter(isHere),
    before: (seq, limit) => before.all(seq, limit).map(entry).filter(isHere),
    signedFrom: (seq) => from.all(seq, MAX_RUN_LENGTH).find(({ record }) => isWitnessSigned(record))?.seq,
    forks: (limit) => forks.all(limit),
    forkCount: () => {
      const row = forkCount.get()
      assert(row !== undefined, 'a count has one row')
      return row.count
    },
  }
}
