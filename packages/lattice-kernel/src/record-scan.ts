/**
 * Reads the records of a log around whatever cannot be read.
 *
 * A page that SQLite cannot read takes a range of rows with it. The range is narrowed down by halving, so that every
 * record beyond its edges is read, and what is bad is named record by record.
 *
 * @module
 */
import { type Crypto, isLatticeError } from '@lattice/model'
import type { Database } from '@lattice/storage'
import type { LogEntry } from './log-entry.ts'
import { decodeRecord, recordBytes, type RecordSource } from './log-record.ts'

/** A record that is not there as it was written. */
export interface BadRecord {
  readonly seq: number
  readonly kind: 'unreadable' | 'missing'
  readonly what: string
}

/** Either, by seq. */
export type ScannedRecord =
  | { readonly seq: number; readonly entry: LogEntry }
  | { readonly seq: number; readonly bad: BadRecord }

export interface RecordScan {
  /** What stands at each seq from `first` to `last`, both inclusive. Never throws for damage. */
  readonly read: (first: number, last: number) => readonly ScannedRecord[]
  /** The same of the rows that there are: what is missing is left out. */
  readonly readThere: (first: number, last: number) => readonly ScannedRecord[]
  /** The last seq that any row has; undefined when even that cannot be read. */
  readonly lastSeq: () => number | undefined
}

interface RecordRow {
  readonly seq: number
  readonly record: Buffer
}

export function createRecordScan(database: Database, crypto: Crypto): RecordScan {
  const source: RecordSource = { path: database.path, crypto }

  function rowsOf(first: number, last: number): RecordRow[] | string {
    try {
      return database
        .prepare<RecordRow>('SELECT seq, record FROM intentions WHERE seq >= ? AND seq <= ? ORDER BY seq')
        .all(first, last)
    } catch (error) {
      return reasonOf(error)
    }
  }

  function decode(row: RecordRow): ScannedRecord {
    const { seq } = row
    try {
      return { seq, entry: decodeRecord(source, seq, recordBytes(source, seq, row.record)) }
    } catch (error) {
      return { seq, bad: { seq, kind: 'unreadable', what: reasonOf(error) } }
    }
  }

  function read(first: number, last: number): readonly ScannedRecord[] {
    if (first > last) return []
    const rows = rowsOf(first, last)
    if (typeof rows !== 'string') return fillGaps(rows.map(decode), first, last)
    if (first === last) return [{ seq: first, bad: { seq: first, kind: 'unreadable', what: rows } }]
    const middle = Math.floor((first + last) / 2)
    return [...read(first, middle), ...read(middle + 1, last)]
  }

  return {
    read,
    readThere: (first, last) =>
      read(first, last).filter((scanned) => !('bad' in scanned && scanned.bad.kind === 'missing')),
    lastSeq: () => {
      try {
        return (
          database.prepare<{ readonly last: number | null }>('SELECT max(seq) AS last FROM intentions').get()?.last ?? 0
        )
      } catch {
        return undefined
      }
    },
  }
}

/** Names what is missing between the rows that are there. */
function fillGaps(rows: readonly ScannedRecord[], first: number, last: number): readonly ScannedRecord[] {
  // A row whose number changed on the disk may stand twice, or out of order.
  if (rows.length === last - first + 1 && rows.every(({ seq }, index) => seq === first + index)) return rows
  const bySeq = new Map(rows.map((row) => [row.seq, row]))
  return Array.from({ length: last - first + 1 }, (_, index): ScannedRecord => {
    const seq = first + index
    return bySeq.get(seq) ?? { seq, bad: { seq, kind: 'missing', what: 'there is no such record' } }
  })
}

/** Why something cannot be read: damage comes in every form, so every error counts as its sign. */
export function reasonOf(error: unknown): string {
  const problem = isLatticeError(error) ? error.detail['problem'] : undefined
  if (typeof problem === 'string') return problem
  return error instanceof Error ? error.message : String(error)
}
