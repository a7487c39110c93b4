/**
 * Sends batches as one stream of writes, and counts what is durable.
 *
 * The node takes them in order, each whole or not at all, so what is written is always the first so many of them. When the
 * input ends early, by a line that does not read or because the user has had enough, what was sent is still awaited: the
 * count that is reported is exact. Only where the connection breaks it is the least that is known to be written.
 *
 * @module
 */
import { isLatticeError, LatticeError, type LatticeErrorCode } from '@lattice/model'
import type { ExecutedMany } from '@lattice/store-base'
import type { Batch, ImportRecord } from './batches.ts'
import { formatPlural } from '../render/units.ts'
import { MAX_PART_BATCHES } from './limits.ts'

export interface ImportCounts {
  readonly records: number
  /** Key and value bytes. */
  readonly bytes: number
  readonly requests: number
}

export interface ImportRun {
  readonly batches: AsyncIterable<Batch>
  readonly encode: (records: readonly ImportRecord[]) => Uint8Array
  /** Writes what it is given; resolves when all of it is durable, and tells how far it is meanwhile. */
  readonly write: (
    requests: AsyncIterable<readonly Uint8Array[]>,
    onProgress: (progress: ExecutedMany) => void,
  ) => Promise<ExecutedMany>
  /** Told as more is durable, with how far into the input that reaches. */
  readonly onProgress: (counts: ImportCounts, endOffset: number) => void
  /** Once aborted nothing more is sent. */
  readonly signal: AbortSignal
}

/** The import ended early; everything counted in `detail.imported` is written and stays. */
export class ImportStopped extends LatticeError {
  override readonly name = 'ImportStopped'
  readonly code: LatticeErrorCode
  override readonly detail: Readonly<Record<string, unknown>>
  readonly hint =
    'repeat the import when that is mended: a record that is there already is written again with the same value'

  constructor(cause: LatticeError, { imported, place, isExact }: StopFacts) {
    const count = `${isExact ? '' : 'at least '}${formatPlural(imported, 'record')}`
    super(`${place}${cause.message}; ${count} imported before`, { cause })
    this.code = cause.code
    const { written: _written, index: _index, ...facts } = cause.detail
    this.detail = { ...facts, imported }
  }
}

interface StopFacts {
  readonly imported: number
  readonly place: string
  readonly isExact: boolean
}

/** Resolves with what was written. Rejects with {@link ImportStopped} at the first failure. */
export async function runImport({ batches, encode, write, onProgress, signal }: ImportRun): Promise<ImportCounts> {
  const underway = createUnderway()
  let unread: { readonly error: unknown } | undefined

  async function* parts(): AsyncGenerator<readonly Uint8Array[]> {
    let part: Uint8Array[] = []
    try {
      for await (const batch of batches) {
        if (signal.aborted) break
        underway.add(batch)
        part.push(encode(batch.records))
        if (part.length < MAX_PART_BATCHES) continue
        yield part
        part = []
      }
    } catch (error) {
      // What was read before is sent all the same; the node ends well, and then this is told.
      unread = { error }
    }
    if (part.length > 0) yield part
  }

  try {
    const { written } = await write(parts(), (progress) => {
      underway.advance(progress.written)
      onProgress(underway.counts(), underway.endOffset())
    })
    underway.advance(written)
  } catch (error) {
    throw stopped(error, underway)
  }
  const counts = underway.counts()
  if (unread === undefined) return counts
  if (!isLatticeError(unread.error)) throw unread.error
  throw new ImportStopped(unread.error, { imported: counts.records, place: '', isExact: true })
}

function stopped(error: unknown, underway: Underway): unknown {
  if (!isLatticeError(error)) return error
  const { written } = error.detail
  const isExact = typeof written === 'number'
  if (isExact) underway.advance(written)
  const next = underway.next()
  const place = isExact && next !== undefined ? placeOf(next) : ''
  return new ImportStopped(error, { imported: underway.counts().records, place, isExact })
}

function placeOf({ firstLine, lastLine }: Pick<Batch, 'firstLine' | 'lastLine'>): string {
  return firstLine === lastLine ? `line ${firstLine}: ` : `lines ${firstLine} to ${lastLine}: `
}

/** Batches that are sent and not known to be written: as many as the way to the node holds. */
interface Underway {
  readonly add: (batch: Batch) => void
  /** The first `written` of all are durable. */
  readonly advance: (written: number) => void
  /** The first that is not. */
  readonly next: () => Pick<Batch, 'firstLine' | 'lastLine'> | undefined
  readonly counts: () => ImportCounts
  readonly endOffset: () => number
}

function createUnderway(): Underway {
  let sent: (Omit<Batch, 'records'> & { readonly count: number; readonly bytes: number })[] = []
  let counts: ImportCounts = { records: 0, bytes: 0, requests: 0 }
  let reached = 0
  return {
    add: ({ records, ...place }) => {
      const bytes = records.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
      sent.push({ ...place, count: records.length, bytes })
    },
    advance: (written) => {
      const done = sent.slice(0, Math.max(0, written - counts.requests))
      sent = sent.slice(done.length)
      for (const { count, bytes, endOffset } of done) {
        counts = { records: counts.records + count, bytes: counts.bytes + bytes, requests: counts.requests + 1 }
        reached = endOffset
      }
    },
    next: () => sent[0],
    counts: () => counts,
    endOffset: () => reached,
  }
}
