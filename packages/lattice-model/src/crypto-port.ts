/**
 * The cryptography everything else is given: BLAKE3 and strict Ed25519.
 *
 * A port, so that the choice of implementation (WebAssembly or native) is made once, by whoever composes the program,
 * and never changes a verdict.
 *
 * @module
 */
import type { Hash, PublicKey, SecretKey, Seed, Signature } from './ids.ts'

/** An Ed25519 key pair. */
export interface KeyPair {
  readonly publicKey: PublicKey
  readonly secretKey: SecretKey
}

/** Synchronous and total: every function answers for any bytes of the stated lengths. */
export interface Crypto {
  /** BLAKE3-256 of the parts, one after another. */
  readonly blake3: (...parts: readonly Uint8Array[]) => Hash
  /** The first `length` bytes, at most `MAX_XOF_BYTES`, of BLAKE3's extended output for the parts, one after another. */
  readonly blake3Xof: (length: number, ...parts: readonly Uint8Array[]) => Uint8Array
  readonly keyPairFromSeed: (seed: Seed) => KeyPair
  /** Ed25519 of the message (RFC 8032): deterministic. */
  readonly sign: (secretKey: SecretKey, message: Uint8Array) => Signature
  /**
   * Strict verification: false also for a signature that is not 64 bytes, a non-canonical S, and a key or R of small
   * order. Both backends give the same verdict for the same bytes.
   */
  readonly verify: (publicKey: PublicKey, message: Uint8Array, signature: Uint8Array) => boolean
  /** Equality in time that does not depend on where the bytes differ. Lengths are not secret. */
  readonly constantTimeEqual: (a: Uint8Array, b: Uint8Array) => boolean
}
