/**
 * Sends batches with a few of them on their way at once.
 *
 * A key keeps the value of its last line: a batch that holds a key of one still
 * on its way waits for that one. After a failure nothing more is sent, and what
 * is on its way is awaited, so the count that is reported is what was written.
 *
 * @module
 */
import { assert, isLatticeError, LatticeError, type LatticeErrorCode } from '@lattice/model'
import type { Batch } from './batches.ts'
import { MAX_BATCH_OPERATIONS, MAX_IN_FLIGHT } from './limits.ts'

export interface ImportCounts {
  readonly records: number
  /** Key and value bytes. */
  readonly bytes: number
  readonly requests: number
}

export interface ImportRun {
  readonly batches: AsyncIterable<Batch>
  /** Writes one batch; resolves when it is durable. */
  readonly send: (batch: Batch) => Promise<void>
  /** Told after each batch, with how far into the input the furthest one reached. */
  readonly onProgress: (counts: ImportCounts, endOffset: number) => void
}

/** The import ended early; everything counted in `detail.imported` is written and stays. */
export class ImportStopped extends LatticeError {
  override readonly name = 'ImportStopped'
  readonly code: LatticeErrorCode
  override readonly detail: Readonly<Record<string, unknown>>
  readonly hint =
    'repeat the import when that is mended: a record that is there already is written again with the same value'

  constructor(cause: LatticeError, imported: number, place: string) {
    super(`${place}${cause.message}; ${imported.toLocaleString('en-US')} records were imported before`, { cause })
    this.code = cause.code
    this.detail = { ...cause.detail, imported }
  }
}

/** Resolves with what was written. Rejects with {@link ImportStopped} at the first failure. */
export async function runImport({ batches, send, onProgress }: ImportRun): Promise<ImportCounts> {
  let counts: ImportCounts = { records: 0, bytes: 0, requests: 0 }
  let reached = 0
  let failure: { readonly error: unknown; readonly place: string } | undefined
  const underway = new Map<Promise<void>, ReadonlySet<string>>()

  const start = (batch: Batch, keys: ReadonlySet<string>): void => {
    const sending: Promise<void> = send(batch)
      .then(() => {
        counts = added(counts, batch)
        reached = Math.max(reached, batch.endOffset)
        onProgress(counts, reached)
      })
      .catch((error: unknown) => {
        failure ??= { error, place: `lines ${batch.firstLine} to ${batch.lastLine}: ` }
      })
      .finally(() => underway.delete(sending))
    underway.set(sending, keys)
    assert(underway.size <= MAX_IN_FLIGHT, 'no more requests are on their way than the bound')
  }

  try {
    for await (const batch of batches) {
      const keys = keysOf(batch)
      while (failure === undefined && (underway.size >= MAX_IN_FLIGHT || overlaps(underway.values(), keys))) {
        await Promise.race(underway.keys())
      }
      if (failure !== undefined) break
      start(batch, keys)
    }
  } catch (error) {
    failure ??= { error, place: '' }
  }
  await Promise.all(underway.keys())
  if (failure === undefined) return counts
  throw isLatticeError(failure.error) ? new ImportStopped(failure.error, counts.records, failure.place) : failure.error
}

function added(counts: ImportCounts, { records }: Batch): ImportCounts {
  const bytes = records.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
  return { records: counts.records + records.length, bytes: counts.bytes + bytes, requests: counts.requests + 1 }
}

function keysOf({ records }: Batch): ReadonlySet<string> {
  assert(records.length <= MAX_BATCH_OPERATIONS, 'a batch keeps its bound')
  return new Set(records.map(({ key }) => Buffer.from(key).toString('latin1')))
}

function overlaps(underway: Iterable<ReadonlySet<string>>, keys: ReadonlySet<string>): boolean {
  for (const each of underway) for (const key of keys) if (each.has(key)) return true
  return false
}
