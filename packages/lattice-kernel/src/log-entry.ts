/**
 * Intentions with their place in this node's log, in memory and as rows.
 *
 * @module
 */
import {
  decodeIntention,
  decodeUniversalOp,
  encodeWitnessContent,
  type Hash,
  type Hlc,
  type ParsedIntention,
  type StoreId,
  toHash,
  toIntentionId,
  toWitnessSeq,
} from '@lattice/model'
import { LogDamaged, toPlainBytes } from '@lattice/storage'
import type { IntentionRow } from './log-schema.ts'

/** What the rules need to know of a witnessed intention. */
export interface IntentionMeta {
  readonly seq: number
  /** The interned author. */
  readonly author: number
  readonly position: number
  readonly generation: number
  readonly timestamp: Hlc
}

/** A record of the log. */
export interface LogEntry {
  readonly parsed: ParsedIntention
  readonly meta: IntentionMeta
  readonly witnessedMs: number
  readonly chainHash: Hash
  /** Empty inside a commit group. */
  readonly witnessSignature: Uint8Array
}

const NO_BYTES = new Uint8Array(0)

/** The columns of {@link metaOfRow}. */
export const META_COLUMNS = 'seq, id, author, position, generation, wall, counter'

export type MetaColumns = Pick<IntentionRow, 'seq' | 'id' | 'author' | 'position' | 'generation' | 'wall' | 'counter'>

export function metaOfRow(row: Omit<MetaColumns, 'id'>): IntentionMeta {
  const { seq, author, position, generation, wall, counter } = row
  return { seq, author, position, generation, timestamp: { wall, counter } }
}

/** A stored intention. It was checked when it came in, so one that does not decode is damage. */
export function parsedOfRow(
  path: string,
  row: Pick<IntentionRow, 'seq' | 'id' | 'bytes' | 'signature'>,
): ParsedIntention {
  const bytes = toPlainBytes(row.bytes)
  const decoded = decodeIntention(bytes)
  if (!decoded.ok) throw new LogDamaged(path, { record: `witness ${row.seq}`, problem: decoded.error.code })
  return {
    id: toIntentionId(toPlainBytes(row.id)),
    intention: decoded.value,
    op: decodeUniversalOp(decoded.value.ops),
    bytes,
    signature: optionalBytes(row.signature),
  }
}

export function entryOfRow(path: string, row: IntentionRow): LogEntry {
  return {
    parsed: parsedOfRow(path, row),
    meta: metaOfRow(row),
    witnessedMs: row.witnessed_ms,
    chainHash: toHash(toPlainBytes(row.chain_hash)),
    witnessSignature: optionalBytes(row.witness_signature),
  }
}

/** The content of the record, as it was hashed. */
export function contentOf(
  storeId: StoreId,
  prevHash: Hash,
  entry: Pick<LogEntry, 'parsed' | 'meta' | 'witnessedMs'>,
): Uint8Array {
  return encodeWitnessContent({
    storeId,
    seq: toWitnessSeq(entry.meta.seq),
    intentionId: entry.parsed.id,
    wallTime: entry.witnessedMs,
    prevHash,
  })
}

function optionalBytes(bytes: Buffer | null): Uint8Array {
  return bytes === null ? NO_BYTES : toPlainBytes(bytes)
}
