/**
 * A store's log as its machine sees it: the app data that is applied and not rejected.
 *
 * Everything is looked up when it is asked for, so a call that does not look back costs nothing.
 *
 * @module
 */
import { type Kernel, unfoldDeps, type WitnessEntry } from '@lattice/kernel'
import { assert, type IntentionId, type ParsedIntention, ZERO_HASH } from '@lattice/model'
import type { LoggedWrite, PlacedWrite, ReadLog } from '@lattice/store-base'
import type { LogCursors } from './log-cursor.ts'

/** Records read at a time: each is up to 256 KiB. */
const PAGE_RECORDS = 64

type LogKernel = Pick<Kernel, 'get' | 'has' | 'scanWitness' | 'rejections' | 'projection'>

/** The log of `kernel`, whose cursors are made by `cursors`. */
export function createReadLog(kernel: LogKernel, cursors: LogCursors): ReadLog {
  const appliedSeq = (): number => kernel.projection().appliedSeq
  return {
    has: kernel.has,
    get: (id) => {
      const stored = kernel.get(id)
      if (stored?.seq === undefined || stored.seq > appliedSeq()) return undefined
      return isRejected(kernel, stored.seq) ? undefined : loggedWrite(kernel, stored.parsed)
    },
    cursor: () => {
      const seq = appliedSeq()
      return cursors.encode({ seq, chainHash: chainHashAt(kernel, seq) ?? ZERO_HASH })
    },
    after: (cursor) => {
      const seq = cursors.seqOf(cursor)
      if (seq === undefined || seq > appliedSeq()) return undefined
      const chainHash = seq === 0 ? ZERO_HASH : chainHashAt(kernel, seq)
      return chainHash !== undefined && cursors.isAt(cursor, chainHash) ? writesAfter(kernel, cursors, seq) : undefined
    },
  }
}

function* writesAfter(
  kernel: LogKernel,
  cursors: LogCursors,
  seq: number,
): Generator<PlacedWrite, undefined, undefined> {
  for (let next = seq + 1; ;) {
    const limit = Math.min(PAGE_RECORDS, kernel.projection().appliedSeq - next + 1)
    if (limit <= 0) return undefined
    const records = kernel.scanWitness(next, limit)
    const rejected = new Set(kernel.rejections(next - 1, limit).map((rejection) => rejection.seq))
    for (const record of records) {
      assert(record.seq === next, 'what is applied is in the log without a gap')
      next += 1
      const write = rejected.has(record.seq) ? undefined : placedWrite(kernel, cursors, record)
      if (write !== undefined) yield write
    }
    assert(records.length > 0, 'what is applied is in the log')
  }
}

function chainHashAt(kernel: LogKernel, seq: number): Uint8Array | undefined {
  const [record] = kernel.scanWitness(seq, 1)
  return record?.seq === seq ? record.chainHash : undefined
}

function isRejected(kernel: LogKernel, seq: number): boolean {
  return kernel.rejections(seq - 1, 1)[0]?.seq === seq
}

/** Undefined for what is not app data. */
function loggedWrite(kernel: LogKernel, parsed: ParsedIntention): LoggedWrite | undefined {
  const { id, op, intention } = parsed
  if (op.kind !== 'appData') return undefined
  return {
    id,
    author: intention.author,
    timestamp: intention.timestamp,
    get deps(): readonly IntentionId[] {
      return unfoldDeps(parsed, (prev) => witnessed(kernel, prev))
    },
    schema: op.schema,
    payload: op.value,
  }
}

/** Written out: spreading a write would make its deps. */
function placedWrite(kernel: LogKernel, cursors: LogCursors, record: WitnessEntry): PlacedWrite | undefined {
  const write = loggedWrite(kernel, record.parsed)
  return (
    write && {
      id: write.id,
      author: write.author,
      timestamp: write.timestamp,
      get deps(): readonly IntentionId[] {
        return write.deps
      },
      schema: write.schema,
      payload: write.payload,
      get cursor(): Uint8Array {
        return cursors.encode(record)
      },
    }
  )
}

function witnessed(kernel: LogKernel, id: IntentionId): ParsedIntention | undefined {
  const stored = kernel.get(id)
  return stored?.seq === undefined ? undefined : stored.parsed
}
