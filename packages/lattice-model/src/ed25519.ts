/**
 * The part of {@link Crypto} that the backends implement differently.
 *
 * @module
 */
import type { KeyPair } from './crypto-port.ts'
import type { PublicKey, SecretKey, Seed, Signature } from './ids.ts'

/** Ed25519 as libsodium has it. Callers have checked all lengths. */
export interface Ed25519 {
  readonly keyPairFromSeed: (seed: Seed) => KeyPair
  readonly sign: (secretKey: SecretKey, message: Uint8Array) => Signature
  readonly verify: (publicKey: PublicKey, message: Uint8Array, signature: Uint8Array) => boolean
}
