/**
 * A record of the log as one row: everything about an intention's place, then its bytes as they were signed.
 *
 * Packed, since a row costs by the column: flags u8 ‖ author u32 ‖ lane u32 ‖ position u32 ‖ generation u32 ‖ witnessed_ms
 * u48 ‖ chain hash ‖ [witness signature] ‖ [signature] ‖ intention, integers little-endian. The id is not stored: it is
 * the hash of the intention, computed whenever one is read, so bytes and id cannot come apart.
 *
 * @module
 */
import {
  assert,
  type Crypto,
  decodeIntention,
  decodeUniversalOp,
  HASH_BYTES,
  type Hlc,
  intentionId,
  type ParsedIntention,
  SIGNATURE_BYTES,
  toHash,
} from '@lattice/model'
import { LogDamaged, toPlainBytes } from '@lattice/storage'
import type { ByteArena } from './byte-arena.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'

const FLAG_SIGNED = 1
const FLAG_WITNESS_SIGNED = 2
/** Offsets of the integers. */
const [AUTHOR, LANE, POSITION, GENERATION, WITNESSED] = [1, 5, 9, 13, 17]
const CHAIN_HASH = 23
/** What every record begins with. */
export const RECORD_HEAD_BYTES: number = CHAIN_HASH + HASH_BYTES
/** Where the timestamp lies in an intention: after its version and author. */
const TIMESTAMP = 33
const TIMESTAMP_BYTES = 12
const U32 = 2 ** 32
const U48_MAX: number = 2 ** 48 - 1
const NO_BYTES = new Uint8Array(0)

/** The row of an entry, in an array from `arena`. */
export function encodeRecord(
  { parsed, meta, witnessedMs, chainHash, witnessSignature }: LogEntry,
  arena: ByteArena,
): Uint8Array {
  const { bytes, signature } = parsed
  assert(witnessedMs >= 0 && witnessedMs <= U48_MAX, 'a wall time fits 48 bits')
  const record = arena.take(RECORD_HEAD_BYTES + witnessSignature.length + signature.length + bytes.length)
  record[0] = (signature.length > 0 ? FLAG_SIGNED : 0) | (witnessSignature.length > 0 ? FLAG_WITNESS_SIGNED : 0)
  writeU32(record, AUTHOR, meta.author)
  writeU32(record, LANE, meta.lane)
  writeU32(record, POSITION, meta.position)
  writeU32(record, GENERATION, meta.generation)
  // Of the upper half two bytes are zero, and overwritten.
  writeU32(record, WITNESSED, witnessedMs % U32)
  writeU32(record, WITNESSED + 4, Math.floor(witnessedMs / U32))
  record.set(chainHash, CHAIN_HASH)
  record.set(witnessSignature, RECORD_HEAD_BYTES)
  record.set(signature, RECORD_HEAD_BYTES + witnessSignature.length)
  record.set(bytes, record.length - bytes.length)
  return record
}

/** The intention's bytes in a record, or `undefined` for one that is too short to be one. */
export function intentionBytesOf(record: Uint8Array): Uint8Array | undefined {
  const flags = record[0]
  if (flags === undefined || flags > (FLAG_SIGNED | FLAG_WITNESS_SIGNED)) return undefined
  const begin = RECORD_HEAD_BYTES + signatureBytes(flags, FLAG_WITNESS_SIGNED) + signatureBytes(flags, FLAG_SIGNED)
  return record.length < begin + TIMESTAMP + TIMESTAMP_BYTES ? undefined : record.subarray(begin)
}

export function isWitnessSigned(record: Uint8Array): boolean {
  return ((record[0] ?? 0) & FLAG_WITNESS_SIGNED) !== 0
}

/** What the rules need of a record whose intention's bytes are these. Decodes no more than that. */
export function metaOfRecord(seq: number, record: Uint8Array, bytes: Uint8Array): IntentionMeta {
  const view = new DataView(record.buffer, record.byteOffset, record.length)
  return {
    seq,
    author: view.getUint32(AUTHOR, true),
    lane: view.getUint32(LANE, true),
    position: view.getUint32(POSITION, true),
    generation: view.getUint32(GENERATION, true),
    timestamp: timestampOf(bytes),
  }
}

/** The record of a seq. It was checked when it came in, so one that does not decode is damage: throws `LogDamaged`. */
export function decodeRecord(source: RecordSource, seq: number, record: Uint8Array): LogEntry {
  const bytes = intentionBytesOf(record)
  if (bytes === undefined) throw damaged(source, seq, 'it is cut short')
  const decoded = decodeIntention(bytes)
  if (!decoded.ok) throw damaged(source, seq, decoded.error.code)
  const flags = record[0] ?? 0
  const view = new DataView(record.buffer, record.byteOffset, record.length)
  const signatureAt = RECORD_HEAD_BYTES + signatureBytes(flags, FLAG_WITNESS_SIGNED)
  const parsed: ParsedIntention = {
    id: intentionId(source.crypto, bytes),
    intention: decoded.value,
    op: decodeUniversalOp(decoded.value.ops),
    bytes,
    signature: (flags & FLAG_SIGNED) === 0 ? NO_BYTES : record.subarray(signatureAt, signatureAt + SIGNATURE_BYTES),
  }
  return {
    parsed,
    meta: metaOfRecord(seq, record, bytes),
    witnessedMs: view.getUint32(WITNESSED, true) + view.getUint16(WITNESSED + 4, true) * U32,
    chainHash: toHash(record.subarray(CHAIN_HASH, RECORD_HEAD_BYTES)),
    witnessSignature: isWitnessSigned(record) ? record.subarray(RECORD_HEAD_BYTES, signatureAt) : NO_BYTES,
  }
}

/** A row's record. A column that does not hold one is damage: throws `LogDamaged`. */
export function recordBytes(source: RecordSource, seq: number, column: Buffer | null): Uint8Array {
  if (column instanceof Uint8Array) return toPlainBytes(column)
  throw damaged(source, seq, 'it is no record')
}

/** Where records are read, and what hashes them. */
export interface RecordSource {
  readonly path: string
  readonly crypto: Crypto
}

function signatureBytes(flags: number, flag: number): number {
  return (flags & flag) === 0 ? 0 : SIGNATURE_BYTES
}

function timestampOf(bytes: Uint8Array): Hlc {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const wall = view.getUint32(TIMESTAMP, true) + view.getUint32(TIMESTAMP + 4, true) * U32
  return { wall, counter: view.getUint32(TIMESTAMP + 8, true) }
}

function damaged({ path }: RecordSource, seq: number, problem: string): LogDamaged {
  return new LogDamaged(path, { record: `witness ${seq}`, problem })
}

function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value
  bytes[offset + 1] = value >>> 8
  bytes[offset + 2] = value >>> 16
  bytes[offset + 3] = value >>> 24
}
