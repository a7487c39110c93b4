/**
 * Domain-separated signatures: what is signed is `tag ‖ hash`, so no signature can be taken for one of another purpose.
 *
 * The tags have different lengths or differ within the shorter one, and a hash has a fixed length, so the concatenation
 * is unambiguous.
 *
 * @module
 */
import { utf8Encode } from './bytes.ts'
import type { Crypto, KeyPair } from './crypto-port.ts'
import { type Hash, HASH_BYTES, type PublicKey, type SecretKey, type Signature } from './ids.ts'

/** What a signature is for. */
export type SignatureTag = 'lattice/intention/v1' | 'lattice/witness/v1' | 'lattice/attest/v1'

const TAG_BYTES: Readonly<Record<SignatureTag, Uint8Array>> = {
  'lattice/intention/v1': utf8Encode('lattice/intention/v1'),
  'lattice/witness/v1': utf8Encode('lattice/witness/v1'),
  'lattice/attest/v1': utf8Encode('lattice/attest/v1'),
}

/** Every tag, for tests and vectors. */
export const SIGNATURE_TAGS: readonly SignatureTag[] = [
  'lattice/intention/v1',
  'lattice/witness/v1',
  'lattice/attest/v1',
]

/** Signs without showing the secret: a key in memory, or a device. */
export interface Signer {
  readonly publicKey: PublicKey
  readonly sign: (tag: SignatureTag, hash: Hash) => Signature
}

/** A signer over a key pair in memory. */
export function createSigner(crypto: Crypto, keyPair: KeyPair): Signer {
  return {
    publicKey: keyPair.publicKey,
    sign: (tag, hash) => signTagged(crypto, keyPair.secretKey, { tag, hash }),
  }
}

/** Signs `tag ‖ hash`. */
export function signTagged(
  crypto: Crypto,
  secretKey: SecretKey,
  { tag, hash }: { readonly tag: SignatureTag; readonly hash: Hash },
): Signature {
  return crypto.sign(secretKey, taggedMessage(tag, hash))
}

/** True when `signature` is a strict signature of `tag ‖ hash` by `publicKey`. */
export function verifyTagged(
  crypto: Crypto,
  publicKey: PublicKey,
  { tag, hash, signature }: { readonly tag: SignatureTag; readonly hash: Hash; readonly signature: Uint8Array },
): boolean {
  return crypto.verify(publicKey, taggedMessage(tag, hash), signature)
}

function taggedMessage(tag: SignatureTag, hash: Hash): Uint8Array {
  const prefix = TAG_BYTES[tag]
  const message = new Uint8Array(prefix.length + HASH_BYTES)
  message.set(prefix)
  message.set(hash, prefix.length)
  return message
}
