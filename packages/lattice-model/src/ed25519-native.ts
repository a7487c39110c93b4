/**
 * Ed25519 by libsodium as a native addon, where the optional peer dependency `sodium-native` is installed.
 *
 * The module is named through a variable, so bundlers and browsers neither look for it nor fail without it; whatever goes
 * wrong while loading it means only that it is not there.
 *
 * @module
 */
import type { Ed25519 } from './ed25519.ts'
import { PUBLIC_KEY_BYTES, SECRET_KEY_BYTES, SIGNATURE_BYTES, toPublicKey, toSecretKey, toSignature } from './ids.ts'

interface SodiumNative {
  crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
}

const MODULE_NAME: string = 'sodium-native'

/** Resolves to `undefined` where the addon cannot be loaded. */
export async function openEd25519Native(): Promise<Ed25519 | undefined> {
  const sodium = await loadSodium()
  if (sodium === undefined) return undefined
  return {
    keyPairFromSeed: (seed) => {
      const publicKey = new Uint8Array(PUBLIC_KEY_BYTES)
      const secretKey = new Uint8Array(SECRET_KEY_BYTES)
      sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed)
      return { publicKey: toPublicKey(publicKey), secretKey: toSecretKey(secretKey) }
    },
    sign: (secretKey, message) => {
      const signature = new Uint8Array(SIGNATURE_BYTES)
      sodium.crypto_sign_detached(signature, message, secretKey)
      return toSignature(signature)
    },
    verify: (publicKey, message, signature) => sodium.crypto_sign_verify_detached(signature, message, publicKey),
  }
}

async function loadSodium(): Promise<SodiumNative | undefined> {
  try {
    const loaded: unknown = await import(/* @vite-ignore */ /* webpackIgnore: true */ MODULE_NAME)
    const candidate = isRecord(loaded) && isRecord(loaded['default']) ? loaded['default'] : loaded
    return isSodium(candidate) ? candidate : undefined
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return (typeof value === 'object' || typeof value === 'function') && value !== null
}

function isSodium(value: unknown): value is SodiumNative {
  return (
    isRecord(value) &&
    typeof value['crypto_sign_seed_keypair'] === 'function' &&
    typeof value['crypto_sign_detached'] === 'function' &&
    typeof value['crypto_sign_verify_detached'] === 'function'
  )
}
