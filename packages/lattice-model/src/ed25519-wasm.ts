/**
 * Ed25519 by libsodium compiled to WebAssembly: runs in every engine, at about half the speed of native code.
 *
 * @module
 */
import sodium from 'libsodium-wrappers'
import type { Ed25519 } from './ed25519.ts'
import { toPublicKey, toSecretKey, toSignature } from './ids.ts'

/** Resolves once the WebAssembly module is compiled. */
export async function openEd25519Wasm(): Promise<Ed25519> {
  await sodium.ready
  return {
    keyPairFromSeed: (seed) => {
      const pair = sodium.crypto_sign_seed_keypair(seed)
      return { publicKey: toPublicKey(pair.publicKey), secretKey: toSecretKey(pair.privateKey) }
    },
    sign: (secretKey, message) => toSignature(sodium.crypto_sign_detached(message, secretKey)),
    verify: (publicKey, message, signature) => sodium.crypto_sign_verify_detached(signature, message, publicKey),
  }
}
