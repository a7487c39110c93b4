/**
 * Witness records: one entry of a node's own hash-chained log, in the one canonical protobuf form.
 *
 * The bytes are hashed, signed and kept as they are, so their decoder accepts only what the encoder makes: fields in
 * order, each once, shortest varints, no default values, nothing else. Then a hash names one content, whoever made it.
 *
 * @module
 */
import { assert } from './assert.ts'
import type { Crypto } from './crypto-port.ts'
import {
  type Hash,
  HASH_BYTES,
  type IntentionId,
  type StoreId,
  toHash,
  toIntentionId,
  toStoreId,
  toWitnessSeq,
  type WitnessSeq,
} from './ids.ts'
import { MAX_WALL_MS } from './limits.ts'
import { err, ok, type Result } from './result.ts'
import type { Signer } from './signing.ts'
import { MAX_VARINT_BYTES, readVarint, varintBytes, writeVarint } from './varint.ts'

/** What a node says when it appends an intention to its log. */
export interface WitnessContent {
  readonly storeId: StoreId
  readonly seq: WitnessSeq
  readonly intentionId: IntentionId
  /** Milliseconds since the Unix epoch, by the witness; at most `MAX_WALL_MS`. */
  readonly wallTime: number
  /** Hash of the previous record's content; zero before the first. */
  readonly prevHash: Hash
}

/** A record in the form of disk and wire. */
export interface WitnessRecord {
  /** The encoded {@link WitnessContent}, as it was hashed. */
  readonly content: Uint8Array
  /** 64 bytes; or none, inside a commit group that a later record closes. */
  readonly signature: Uint8Array
}

/** Why bytes are not a canonical witness content. */
export interface WitnessContentError {
  readonly code: 'witness_malformed'
  /** Where the first byte stands that cannot be there. */
  readonly offset: number
}

const TAG_STORE_ID = 0x0a
const TAG_SEQ = 0x10
const TAG_INTENTION_ID = 0x1a
const TAG_WALL_TIME = 0x20
const TAG_PREV_HASH = 0x2a
const HASH_FIELD_BYTES: number = 2 + HASH_BYTES
const SEQ_OFFSET: number = HASH_FIELD_BYTES + 1

/** Encodes a content. Byte-equal to the generated protobuf codec. */
export function encodeWitnessContent(content: WitnessContent): Uint8Array {
  const { seq, wallTime } = content
  const wallBytes = wallTime === 0 ? 0 : 1 + varintBytes(wallTime)
  const bytes = new Uint8Array(3 * HASH_FIELD_BYTES + 1 + varintBytes(seq) + wallBytes)
  const end = writeContent(bytes, content)
  assert(end === bytes.length, 'a content is as long as it says')
  return bytes
}

/** What `encodeWitnessContent` makes, at most. */
const MAX_CONTENT_BYTES: number = 3 * HASH_FIELD_BYTES + 2 + 2 * MAX_VARINT_BYTES
// Written and hashed within one call, which nothing interrupts.
const scratch = new Uint8Array(MAX_CONTENT_BYTES)

/** The hash of the encoded content, for which nothing is allocated. */
export function hashWitnessContent(crypto: Crypto, content: WitnessContent): Hash {
  return crypto.blake3(scratch.subarray(0, writeContent(scratch, content)))
}

/** Writes an encoded content; answers its length. */
function writeContent(bytes: Uint8Array, content: WitnessContent): number {
  const { seq, wallTime } = content
  assert(Number.isSafeInteger(seq) && seq >= 1, 'a witness seq is a safe integer from 1')
  assert(Number.isInteger(wallTime) && wallTime >= 0 && wallTime <= MAX_WALL_MS, 'the wall time is within range')
  bytes[0] = TAG_STORE_ID
  writeHash(bytes, 1, content.storeId)
  bytes[HASH_FIELD_BYTES] = TAG_SEQ
  let offset = writeVarint(bytes, SEQ_OFFSET, seq)
  bytes[offset] = TAG_INTENTION_ID
  writeHash(bytes, offset + 1, content.intentionId)
  offset += HASH_FIELD_BYTES
  if (wallTime > 0) {
    bytes[offset] = TAG_WALL_TIME
    offset = writeVarint(bytes, offset + 1, wallTime)
  }
  bytes[offset] = TAG_PREV_HASH
  writeHash(bytes, offset + 1, content.prevHash)
  return offset + HASH_FIELD_BYTES
}

/** Decodes a content whose hashes are views of `bytes`. Accepts exactly the encoder's output. */
export function decodeWitnessContent(bytes: Uint8Array): Result<WitnessContent, WitnessContentError> {
  if (!hasHashField(bytes, 0, TAG_STORE_ID)) return malformed(0)
  if (bytes[HASH_FIELD_BYTES] !== TAG_SEQ) return malformed(HASH_FIELD_BYTES)
  const seq = readVarint(bytes, SEQ_OFFSET, Number.MAX_SAFE_INTEGER)
  if (seq < 1) return malformed(SEQ_OFFSET)
  const idOffset = SEQ_OFFSET + varintBytes(seq)
  if (!hasHashField(bytes, idOffset, TAG_INTENTION_ID)) return malformed(idOffset)

  const wallOffset = idOffset + HASH_FIELD_BYTES
  let prevOffset = wallOffset
  let wallTime = 0
  if (bytes[wallOffset] === TAG_WALL_TIME) {
    wallTime = readVarint(bytes, wallOffset + 1, MAX_WALL_MS)
    if (wallTime < 1) return malformed(wallOffset + 1)
    prevOffset += 1 + varintBytes(wallTime)
  }
  if (!hasHashField(bytes, prevOffset, TAG_PREV_HASH)) return malformed(prevOffset)
  const end = prevOffset + HASH_FIELD_BYTES
  if (bytes.length !== end) return malformed(end)
  return ok({
    storeId: toStoreId(bytes.subarray(2, HASH_FIELD_BYTES)),
    seq: toWitnessSeq(seq),
    intentionId: toIntentionId(bytes.subarray(idOffset + 2, wallOffset)),
    wallTime,
    prevHash: toHash(bytes.subarray(prevOffset + 2, end)),
  })
}

/** The link of the chain: the hash of an encoded content. */
export function witnessHash(crypto: Crypto, contentBytes: Uint8Array): Hash {
  return crypto.blake3(contentBytes)
}

/** Signs an encoded content: the last of each commit group. */
export function signWitness(crypto: Crypto, signer: Signer, contentBytes: Uint8Array): WitnessRecord {
  return { content: contentBytes, signature: signer.sign('lattice/witness/v1', witnessHash(crypto, contentBytes)) }
}

function malformed(offset: number): Result<never, WitnessContentError> {
  return err({ code: 'witness_malformed', offset })
}

function writeHash(bytes: Uint8Array, offset: number, hash: Uint8Array): void {
  assert(hash.length === HASH_BYTES, 'a hash has 32 bytes')
  bytes[offset] = HASH_BYTES
  bytes.set(hash, offset + 1)
}

function hasHashField(bytes: Uint8Array, offset: number, tag: number): boolean {
  return bytes[offset] === tag && bytes[offset + 1] === HASH_BYTES && bytes.length >= offset + HASH_FIELD_BYTES
}
