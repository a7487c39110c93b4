/**
 * What the tests of this package share: opened cryptography, authors from fixed seeds, and generators.
 *
 * @module
 */
import * as fc from 'fast-check'
import { utf8Encode } from '../src/bytes.ts'
import type { Crypto } from '../src/crypto-port.ts'
import { openCrypto, type OpenedCrypto } from '../src/crypto.ts'
import { createGenesis } from '../src/genesis.ts'
import type { Hlc } from '../src/hlc.ts'
import { type Hash, type IntentionId, toHash, toIntentionId, toPublicKey, toSeed } from '../src/ids.ts'
import { type Intention, NO_HINTS, sortDeps } from '../src/intention.ts'
import { MAX_HLC_COUNTER, MAX_WALL_MS } from '../src/limits.ts'
import type { Result } from '../src/result.ts'
import type { ParsedIntention } from '../src/signed-intention.ts'
import { createSigner, type Signer } from '../src/signing.ts'
import { parseStoreType, type StoreType } from '../src/store-type.ts'
import { encodeUniversalOp } from '../src/universal-op.ts'

/** The WebAssembly backend, opened once per test file. */
export const crypto: OpenedCrypto = await openCrypto({ backend: 'wasm' })

/** Unwraps a success, or fails the test with the refusal. */
export function valueOf<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.error)}`)
  return result.value
}

/** Unwraps a refusal, or fails the test. */
export function errorOf<E>(result: Result<unknown, E>): E {
  if (result.ok) throw new Error('was accepted')
  return result.error
}

/** The author grown from a seed of one repeated byte. */
export function signerOf(byte: number, backend: Crypto = crypto): Signer {
  return createSigner(backend, backend.keyPairFromSeed(toSeed(new Uint8Array(32).fill(byte))))
}

export const STORE_TYPE: StoreType = valueOf(parseStoreType('test:plain'))

/** A genesis by `signer`, the same in every run. */
export function genesisOf(signer: Signer, timestamp: Hlc = { wall: 1_000, counter: 0 }): ParsedIntention {
  return createGenesis(crypto, signer, { storeType: STORE_TYPE, nonce: new Uint8Array(16).fill(7), timestamp })
}

/** An app write, by default of three bytes. */
export function writeOf(
  signer: Signer,
  { storePrev, deps = [storePrev], wall = 2_000, data = utf8Encode('abc') }: WriteOptions,
): Intention {
  return {
    author: signer.publicKey,
    timestamp: { wall, counter: 0 },
    storePrev,
    causalDeps: sortDeps(deps.map((dep) => toIntentionId(dep))),
    hints: NO_HINTS,
    ops: encodeUniversalOp({ kind: 'appData', schema: 1, value: data }),
  }
}

export interface WriteOptions {
  readonly storePrev: Hash
  readonly deps?: readonly Hash[]
  readonly wall?: number
  readonly data?: Uint8Array
}

export const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })

const notZero = (bytes: Uint8Array): boolean => bytes.some((byte) => byte !== 0)

export const hashes: fc.Arbitrary<Hash> = bytesOf(32).filter(notZero).map(toHash)
export const intentionIds: fc.Arbitrary<IntentionId> = bytesOf(32).filter(notZero).map(toIntentionId)

export const timestamps: fc.Arbitrary<Hlc> = fc.record({
  wall: fc.oneof(fc.nat({ max: MAX_WALL_MS }), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, MAX_WALL_MS)),
  counter: fc.oneof(fc.nat({ max: 100 }), fc.constantFrom(MAX_HLC_COUNTER - 1, MAX_HLC_COUNTER)),
})

const geneses = fc.constant({ storePrev: toHash(new Uint8Array(32)), causalDeps: [] as readonly IntentionId[] })
const descendants = fc.record({
  storePrev: hashes,
  causalDeps: fc.array(intentionIds, { minLength: 1, maxLength: 20 }).map((ids) => sortDeps(ids)),
})

/** Any canonical intention, whatever its ops. */
export const intentions: fc.Arbitrary<Intention> = fc
  .tuple(
    fc.record({
      author: bytesOf(32).map(toPublicKey),
      timestamp: timestamps,
      hints: fc.record({ supersedesAll: fc.boolean(), ephemeral: fc.boolean() }),
      ops: fc.uint8Array({ maxLength: 300 }),
    }),
    fc.oneof({ weight: 1, arbitrary: geneses }, { weight: 9, arbitrary: descendants }),
  )
  .map(([rest, causes]) => ({ ...rest, ...causes }))
