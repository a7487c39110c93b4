/**
 * Groups records into requests. A batch is handed out only when all of its
 * lines are read and sound, so a malformed line keeps its whole batch unwritten.
 *
 * @module
 */
import { UsageError } from '../errors.ts'
import { MAX_BATCH_BYTES, MAX_BATCH_OPERATIONS } from './limits.ts'
import { type ImportRecord, isComment, type LineFormat, readRecord } from './read-record.ts'
import type { Line } from './split-lines.ts'

export type { ImportRecord }

export interface Batch {
  readonly records: readonly ImportRecord[]
  readonly firstLine: number
  readonly lastLine: number
  /** Bytes of the input up to the end of this batch. */
  readonly endOffset: number
}

export interface BatchOptions {
  readonly format: LineFormat
  /** Skips blank lines and those that begin with `#`. */
  readonly comments: boolean
}

/** Rejects with {@link UsageError}, naming the line, for one that does not read. */
export async function* batchRecords(
  lines: AsyncIterable<Line>,
  { format, comments }: BatchOptions,
): AsyncGenerator<Batch> {
  let records: ImportRecord[] = []
  let size = 0
  let first = 0
  let last: Line | undefined
  const take = (): Batch => {
    const batch = { records, firstLine: first, lastLine: last?.number ?? first, endOffset: last?.endOffset ?? 0 }
    records = []
    size = 0
    return batch
  }
  for await (const line of lines) {
    if (comments && isComment(line.bytes)) continue
    const record = readRecord(line.bytes, format)
    if (!record.ok) throw malformed(line.number, record.error)
    const recordSize = record.value.key.length + record.value.value.length
    if (records.length > 0 && (records.length >= MAX_BATCH_OPERATIONS || size + recordSize > MAX_BATCH_BYTES))
      yield take()
    if (records.length === 0) first = line.number
    records.push(record.value)
    size += recordSize
    last = line
  }
  if (records.length > 0) yield take()
}

function malformed(line: number, reason: string): UsageError {
  return new UsageError(`line ${line}: ${reason}`, { detail: { line } })
}
