/**
 * Stores of two peers, without a network.
 *
 * @module
 */
import {
  assert,
  createGenesis,
  createSigner,
  type Crypto,
  parseStoreType,
  type Signer,
  toSeed,
  toStoreId,
  type ParsedIntention,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createManualClock } from '@lattice/model/testing'
import type { SessionStore } from '../src/session-call.ts'
import { viewFor } from '../src/store-registry.ts'
import { createModelStore, type ModelStore } from './model-store.ts'

export interface Peer {
  readonly signer: Signer
  readonly store: ModelStore
}

export interface Pair {
  readonly crypto: Crypto
  readonly genesis: ParsedIntention
  readonly a: Peer
  readonly b: Peer
  /** `a`'s store as `b` may use it, and the other way round. */
  readonly viewOfA: SessionStore
  readonly viewOfB: SessionStore
  /** A further peer of the same store. */
  readonly peer: (index: number, options?: { readonly holdsGenesis?: boolean }) => Peer
}

export async function createPair({ nonce = 0 }: { readonly nonce?: number } = {}): Promise<Pair> {
  const crypto = await openCrypto({ backend: 'wasm' })
  const clock = createManualClock()
  const signerOf = (index: number): Signer =>
    createSigner(crypto, crypto.keyPairFromSeed(toSeed(crypto.blake3(new Uint8Array([index])))))
  const storeType = parseStoreType('test:model')
  assert(storeType.ok, 'a good type')
  const genesis = createGenesis(crypto, signerOf(0), {
    storeType: storeType.value,
    nonce: new Uint8Array(16).fill(nonce),
    timestamp: { wall: clock.wallMs(), counter: 0 },
  })
  const peer = (index: number, { holdsGenesis = true } = {}): Peer => {
    const signer = signerOf(index)
    const storeId = toStoreId(genesis.id)
    return {
      signer,
      store: createModelStore({ crypto, signer, clock, storeId, ...(holdsGenesis ? { genesis } : {}) }),
    }
  }
  const [a, b] = [peer(0), peer(1)]
  return {
    crypto,
    genesis,
    a,
    b,
    viewOfA: viewFor(a.store, b.signer.publicKey, () => true),
    viewOfB: viewFor(b.store, a.signer.publicKey, () => true),
    peer,
  }
}
