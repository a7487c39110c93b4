/**
 * What the pool and its threads say to each other.
 *
 * Both ends are this package, of the same version: the messages are typed, not validated. A batch travels as one array
 * of claims and its verdicts as one byte each; both are transferred, not copied.
 *
 * @module
 */
import {
  HASH_BYTES,
  PUBLIC_KEY_BYTES,
  type SignatureClaim,
  SIGNATURE_BYTES,
  toIntentionId,
  toPublicKey,
} from '@lattice/model'
import type { CryptoBackend } from '@lattice/model/crypto'

/** How a thread is started. */
export interface VerifySettings {
  /** That of the thread that asks, so that both give the same verdicts. */
  readonly backend: CryptoBackend
}

export interface VerifyTask {
  readonly task: number
  /** Claims of fixed length, one after another: author, id, signature. */
  readonly claims: Uint8Array
}

export type FromVerifyWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly why: string }
  /** One byte per claim: 1 where it holds. */
  | { readonly kind: 'verdicts'; readonly task: number; readonly verdicts: Uint8Array }

const ID_OFFSET: number = PUBLIC_KEY_BYTES
const SIGNATURE_OFFSET: number = ID_OFFSET + HASH_BYTES
const CLAIM_BYTES: number = SIGNATURE_OFFSET + SIGNATURE_BYTES

/** A signature of another length is packed as zeros, which no key signs. */
export function packClaims(claims: readonly SignatureClaim[]): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(claims.length * CLAIM_BYTES)
  let offset = 0
  for (const { author, id, signature } of claims) {
    packed.set(author, offset)
    packed.set(id, offset + ID_OFFSET)
    if (signature.length === SIGNATURE_BYTES) packed.set(signature, offset + SIGNATURE_OFFSET)
    offset += CLAIM_BYTES
  }
  return packed
}

/** The verdict on each packed claim. */
export function judgeClaims(packed: Uint8Array, judge: (claim: SignatureClaim) => boolean): Uint8Array<ArrayBuffer> {
  const verdicts = new Uint8Array(packed.length / CLAIM_BYTES)
  for (let index = 0; index < verdicts.length; index += 1) {
    const claim = packed.subarray(index * CLAIM_BYTES, (index + 1) * CLAIM_BYTES)
    const isGood = judge({
      author: toPublicKey(claim.subarray(0, ID_OFFSET)),
      id: toIntentionId(claim.subarray(ID_OFFSET, SIGNATURE_OFFSET)),
      signature: claim.subarray(SIGNATURE_OFFSET),
    })
    verdicts[index] = isGood ? 1 : 0
  }
  return verdicts
}
