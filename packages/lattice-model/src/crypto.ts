/**
 * Opens the cryptography of this platform: BLAKE3 by WebAssembly, Ed25519 by the native addon or WebAssembly.
 *
 * Everything is compiled once, here; afterwards all calls are synchronous. The hashers are shared and reset per call, which
 * is safe because no call yields in between.
 *
 * @module
 */
import { createBLAKE3 } from 'hash-wasm'
import { assert } from './assert.ts'
import type { Crypto } from './crypto-port.ts'
import { openEd25519Native } from './ed25519-native.ts'
import { openEd25519Wasm } from './ed25519-wasm.ts'
import type { Ed25519 } from './ed25519.ts'
import { LatticeError } from './errors.ts'
import { HASH_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES, toHash } from './ids.ts'
import { MAX_XOF_BYTES } from './limits.ts'

/** Which Ed25519 is behind a {@link Crypto}. */
export type CryptoBackend = 'wasm' | 'native'

/** A {@link Crypto} that says what it runs on. */
export interface OpenedCrypto extends Crypto {
  readonly backend: CryptoBackend
}

/** Choices for {@link openCrypto}. */
export interface OpenCryptoOptions {
  /** `auto` takes the native addon where it loads, else WebAssembly. */
  readonly backend?: CryptoBackend | 'auto'
}

/** `backend: 'native'` was asked for where the addon does not load. Install `sodium-native`, or ask for `auto`. */
export class NativeCryptoUnavailable extends LatticeError {
  override readonly name = 'NativeCryptoUnavailable'
  readonly code = 'NOT_SUPPORTED'

  constructor() {
    super('native cryptography is not available: install the optional package sodium-native, or use the wasm backend')
  }
}

/** Opens the cryptography. Rejects with {@link NativeCryptoUnavailable} only when `native` is asked for by name. */
export async function openCrypto({ backend = 'auto' }: OpenCryptoOptions = {}): Promise<OpenedCrypto> {
  const [chosen, hasher, xofHasher] = await Promise.all([
    openEd25519(backend),
    createBLAKE3(HASH_BYTES * 8),
    createBLAKE3(MAX_XOF_BYTES * 8),
  ])
  const { ed25519 } = chosen
  return {
    backend: chosen.backend,
    blake3: (...parts) => {
      hasher.init()
      for (const part of parts) hasher.update(part)
      return toHash(hasher.digest('binary'))
    },
    blake3Xof: (length, ...parts) => {
      assert(Number.isInteger(length) && length >= 0 && length <= MAX_XOF_BYTES, 'an XOF length is within its bound')
      xofHasher.init()
      for (const part of parts) xofHasher.update(part)
      // A shorter output is a prefix of a longer one, so one hasher serves every length.
      const output = xofHasher.digest('binary')
      return length === MAX_XOF_BYTES ? output : output.slice(0, length)
    },
    keyPairFromSeed: ed25519.keyPairFromSeed,
    sign: ed25519.sign,
    verify: (publicKey, message, signature) =>
      publicKey.length === PUBLIC_KEY_BYTES &&
      signature.length === SIGNATURE_BYTES &&
      ed25519.verify(publicKey, message, signature),
    constantTimeEqual,
  }
}

async function openEd25519(
  backend: CryptoBackend | 'auto',
): Promise<{ readonly backend: CryptoBackend; readonly ed25519: Ed25519 }> {
  if (backend !== 'wasm') {
    const native = await openEd25519Native()
    if (native !== undefined) return { backend: 'native', ed25519: native }
    if (backend === 'native') throw new NativeCryptoUnavailable()
  }
  return { backend: 'wasm', ed25519: await openEd25519Wasm() }
}

function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let index = 0; index < a.length; index += 1) difference |= (a[index] ?? 0) ^ (b[index] ?? 0)
  return difference === 0
}
