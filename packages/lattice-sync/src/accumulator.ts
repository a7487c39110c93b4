/**
 * Additive fingerprints: the sum of a set's ids mod 2^256, and how many there are.
 *
 * Sums add and subtract, so an index keeps them per block or per subtree and answers any range from a few of them. What
 * travels is a hash of sum and count: sums alone are linear, and a peer could build sets that collide.
 *
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { assert, HASH_BYTES, toHash, type Brand, type Hash } from '@lattice/model'
import type { Id } from './item.ts'
import { encodeVarint } from './varint.ts'

/** Bytes of a sum: 256 bits, little-endian. */
export const SUM_BYTES = 32
/** Bytes of a range's fingerprint on the wire. */
export const FINGERPRINT_BYTES = 16

/** What a set adds up to. */
export interface Accumulator {
  /** Sum of the ids as little-endian integers, mod 2^256. Never written to once handed out. */
  readonly sum: Uint8Array
  readonly count: number
}

/** The wire form of a range's content: 16 bytes. */
export type Fingerprint = Uint8Array & Brand<'Fingerprint'>

/** The empty set. */
export const EMPTY_ACCUMULATOR: Accumulator = { sum: new Uint8Array(SUM_BYTES), count: 0 }

/** Adds `addend` to `target` in place, mod 2^256. For indexes that keep sums in buffers of their own. */
export function addInto(target: Uint8Array, addend: Uint8Array): void {
  assert(target.length === SUM_BYTES && addend.length === SUM_BYTES, 'sums and ids have 32 bytes')
  let carry = 0
  for (let index = 0; index < SUM_BYTES; index += 1) {
    carry += (target[index] ?? 0) + (addend[index] ?? 0)
    target[index] = carry & 0xff
    carry >>>= 8
  }
}

/** Subtracts `subtrahend` from `target` in place, mod 2^256. Undoes {@link addInto}. */
export function subtractFrom(target: Uint8Array, subtrahend: Uint8Array): void {
  assert(target.length === SUM_BYTES && subtrahend.length === SUM_BYTES, 'sums and ids have 32 bytes')
  let borrow = 0
  for (let index = 0; index < SUM_BYTES; index += 1) {
    const difference = (target[index] ?? 0) - (subtrahend[index] ?? 0) - borrow
    target[index] = difference & 0xff
    borrow = difference < 0 ? 1 : 0
  }
}

/** The accumulator of a set given id by id. */
export function accumulate(ids: Iterable<Id>): Accumulator {
  const sum = new Uint8Array(SUM_BYTES)
  let count = 0
  for (const id of ids) {
    addInto(sum, id)
    count += 1
  }
  return { sum, count }
}

/** The union of two disjoint sets. */
export function addAccumulators(a: Accumulator, b: Accumulator): Accumulator {
  const sum = a.sum.slice()
  addInto(sum, b.sum)
  return { sum, count: a.count + b.count }
}

/** What is left of `whole` without `part`, a subset of it. */
export function subtractAccumulators(whole: Accumulator, part: Accumulator): Accumulator {
  assert(part.count <= whole.count, 'a part has no more ids than the whole')
  const sum = whole.sum.slice()
  subtractFrom(sum, part.sum)
  return { sum, count: whole.count - part.count }
}

/** A set's total fingerprint: SHA-256 over sum and count. Its first 16 bytes are {@link fingerprintOf}. */
export function digestOf(accumulator: Accumulator): Hash {
  return toHash(hashAccumulator(accumulator))
}

/** A range's fingerprint as Negentropy v1 defines it: SHA-256(sum ‖ varint(count)), its first 16 bytes. */
export function fingerprintOf(accumulator: Accumulator): Fingerprint {
  return toFingerprint(hashAccumulator(accumulator).slice(0, FINGERPRINT_BYTES))
}

/** Mints a fingerprint from 16 bytes. */
export function toFingerprint(bytes: Uint8Array): Fingerprint {
  assert(bytes.length === FINGERPRINT_BYTES, 'a fingerprint has 16 bytes')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one cast that mints a Fingerprint.
  return bytes as Fingerprint
}

function hashAccumulator({ sum, count }: Accumulator): Uint8Array {
  assert(sum.length === SUM_BYTES, 'a sum has 32 bytes')
  const digest = sha256.create().update(sum).update(encodeVarint(count)).digest()
  assert(digest.length === HASH_BYTES, 'SHA-256 has 32 bytes')
  return digest
}
