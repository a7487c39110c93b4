/**
 * A row of the log's records, for those who read it row by row.
 *
 * @module
 */
import { equalBytes, intentionId, type Crypto } from '@lattice/model'
import { LogDamaged } from '@lattice/storage'
import { entryOfRow, type LogEntry } from './log-entry.ts'
import type { IntentionRow } from './log-schema.ts'

export type RecordRow = IntentionRow

/** Every row from one seq to another, both inclusive. */
export const SELECT_RECORDS = 'SELECT * FROM intentions WHERE seq >= ? AND seq <= ? ORDER BY seq'

/** The record of a row, whose id is that of its bytes. Throws for anything else. */
export function readRecordRow({ path, crypto }: { readonly path: string; readonly crypto: Crypto }, row: RecordRow): LogEntry {
  const entry = entryOfRow(path, row)
  if (equalBytes(intentionId(crypto, entry.parsed.bytes), entry.parsed.id)) return entry
  throw new LogDamaged(path, { record: `witness ${row.seq}`, problem: 'its intention does not have its id' })
}
