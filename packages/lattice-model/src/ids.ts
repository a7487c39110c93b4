/**
 * Hashes, keys and ids: byte strings of fixed length, each of its own type.
 *
 * `toX` mints from trusted bytes and asserts the length; `readX` reads bytes from outside and answers `undefined`. Neither
 * copies: an id is a view, and whoever mints it no longer writes to the bytes. As a `Map` key an id travels as an
 * {@link IdKey}, because arrays compare by identity.
 *
 * @module
 */
import { assert } from './assert.ts'
import type { Brand } from './brand.ts'
import { fromHex } from './bytes.ts'

/** A BLAKE3-256 hash. */
export type Hash = Uint8Array & Brand<'Hash'>
/** The hash of an intention's bytes. */
export type IntentionId = Hash & Brand<'IntentionId'>
/** The id of a store: the id of its genesis. */
export type StoreId = IntentionId & Brand<'StoreId'>
/** An Ed25519 public key: a peer, an author. */
export type PublicKey = Uint8Array & Brand<'PublicKey'>
/** An Ed25519 signature. */
export type Signature = Uint8Array & Brand<'Signature'>
/** An Ed25519 secret key in libsodium's form: seed, then public key. */
export type SecretKey = Uint8Array & Brand<'SecretKey'>
/** The 32 random bytes an Ed25519 key pair grows from. */
export type Seed = Uint8Array & Brand<'Seed'>
/** An id as text for `Map` and `Set`: one character per byte, so text order is byte order. Not for display. */
export type IdKey = string & Brand<'IdKey'>
/** Position in a node's own witness log, from 1. */
export type WitnessSeq = number & Brand<'WitnessSeq'>

export const HASH_BYTES = 32
export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64
export const SECRET_KEY_BYTES = 64
export const SEED_BYTES = 32

/** 32 zero bytes: `store_prev` of a genesis and `prev_hash` of a log's first record. Never written to. */
export const ZERO_HASH: Hash = toHash(new Uint8Array(HASH_BYTES))

export function toHash(bytes: Uint8Array): Hash {
  assert(bytes.length === HASH_BYTES, 'a hash has 32 bytes')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one cast that mints a Hash.
  return bytes as Hash
}

export function toIntentionId(bytes: Uint8Array): IntentionId {
  assert(bytes.length === HASH_BYTES, 'an intention id has 32 bytes')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one cast that mints an IntentionId.
  return bytes as IntentionId
}

export function toStoreId(bytes: Uint8Array): StoreId {
  assert(bytes.length === HASH_BYTES, 'a store id has 32 bytes')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one cast that mints a StoreId.
  return bytes as StoreId
}

export function toPublicKey(bytes: Uint8Array): PublicKey {
  assert(bytes.length === PUBLIC_KEY_BYTES, 'a public key has 32 bytes')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one cast that mints a PublicKey.
  return bytes as PublicKey
}

export function toSignature(bytes: Uint8Array): Signature {
  assert(bytes.length === SIGNATURE_BYTES, 'a signature has 64 bytes')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one cast that mints a Signature.
  return bytes as Signature
}

export function toSecretKey(bytes: Uint8Array): SecretKey {
  assert(bytes.length === SECRET_KEY_BYTES, 'a secret key has 64 bytes')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one cast that mints a SecretKey.
  return bytes as SecretKey
}

export function toSeed(bytes: Uint8Array): Seed {
  assert(bytes.length === SEED_BYTES, 'a seed has 32 bytes')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one cast that mints a Seed.
  return bytes as Seed
}

export function toWitnessSeq(position: number): WitnessSeq {
  assert(Number.isSafeInteger(position) && position >= 1, 'a witness seq is a safe integer from 1')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one cast that mints a WitnessSeq.
  return position as WitnessSeq
}

/** Bytes from outside as a hash, or `undefined` when the length is wrong. */
export function readHash(bytes: Uint8Array): Hash | undefined {
  return bytes.length === HASH_BYTES ? toHash(bytes) : undefined
}

/** Bytes from outside as an intention id, or `undefined` when the length is wrong. */
export function readIntentionId(bytes: Uint8Array): IntentionId | undefined {
  return bytes.length === HASH_BYTES ? toIntentionId(bytes) : undefined
}

/** Bytes from outside as a store id, or `undefined` when the length is wrong. */
export function readStoreId(bytes: Uint8Array): StoreId | undefined {
  return bytes.length === HASH_BYTES ? toStoreId(bytes) : undefined
}

/** Bytes from outside as a public key, or `undefined` when the length is wrong. Whether it is a good point, `verify` says. */
export function readPublicKey(bytes: Uint8Array): PublicKey | undefined {
  return bytes.length === PUBLIC_KEY_BYTES ? toPublicKey(bytes) : undefined
}

/** Bytes from outside as a signature, or `undefined` when the length is wrong. */
export function readSignature(bytes: Uint8Array): Signature | undefined {
  return bytes.length === SIGNATURE_BYTES ? toSignature(bytes) : undefined
}

/** Full hex as an intention id, or `undefined`. */
export function parseIntentionId(hex: string): IntentionId | undefined {
  const bytes = fromHex(hex)
  return bytes && readIntentionId(bytes)
}

/** Full hex as a store id, or `undefined`. */
export function parseStoreId(hex: string): StoreId | undefined {
  const bytes = fromHex(hex)
  return bytes && readStoreId(bytes)
}

/** Full hex as a public key, or `undefined`. */
export function parsePublicKey(hex: string): PublicKey | undefined {
  const bytes = fromHex(hex)
  return bytes && readPublicKey(bytes)
}

/** The `Map` key of an id. Equal bytes give equal keys; keys sort as their bytes do. */
export function idKey(id: Uint8Array): IdKey {
  // A flat one-byte string: half the memory of hex, and quicker to make. Written out, ids cost a third of `apply`.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one cast that mints an IdKey.
  return (id.length === HASH_BYTES ? textOf32(id) : textOf(id)) as IdKey
}

/** The bytes an {@link idKey} was made from, as a new array. */
export function idKeyBytes(key: IdKey): Uint8Array {
  const bytes = new Uint8Array(key.length)
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = key.charCodeAt(index)
  return bytes
}

function textOf(bytes: Uint8Array): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- An array-like of numbers is what it takes.
  return String.fromCharCode.apply(undefined, bytes as unknown as number[])
}

// prettier-ignore
function textOf32(b: Uint8Array): string {
  return String.fromCharCode(
    b[0] ?? 0, b[1] ?? 0, b[2] ?? 0, b[3] ?? 0, b[4] ?? 0, b[5] ?? 0, b[6] ?? 0, b[7] ?? 0,
    b[8] ?? 0, b[9] ?? 0, b[10] ?? 0, b[11] ?? 0, b[12] ?? 0, b[13] ?? 0, b[14] ?? 0, b[15] ?? 0,
    b[16] ?? 0, b[17] ?? 0, b[18] ?? 0, b[19] ?? 0, b[20] ?? 0, b[21] ?? 0, b[22] ?? 0, b[23] ?? 0,
    b[24] ?? 0, b[25] ?? 0, b[26] ?? 0, b[27] ?? 0, b[28] ?? 0, b[29] ?? 0, b[30] ?? 0, b[31] ?? 0,
  )
}
