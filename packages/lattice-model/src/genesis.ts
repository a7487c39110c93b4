/**
 * The genesis: the first intention of a store, whose id is the store's.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { weaver } from '@lattice/proto'
import { assert } from './assert.ts'
import type { Crypto } from './crypto-port.ts'
import type { Hlc } from './hlc.ts'
import { type StoreId, toStoreId, ZERO_HASH } from './ids.ts'
import { isGenesis, NO_HINTS } from './intention.ts'
import { GENESIS_NONCE_BYTES } from './limits.ts'
import { err, ok, type Result } from './result.ts'
import { type ParsedIntention, signIntention } from './signed-intention.ts'
import type { Signer } from './signing.ts'
import { parseStoreType, type StoreType } from './store-type.ts'
import { encodeUniversalOp } from './universal-op.ts'

/** What a genesis says of its store. */
export interface GenesisInfo {
  readonly storeType: StoreType
  /** Random, so that two stores of one author and instant differ. */
  readonly nonce: Uint8Array
}

/** Why an intention is not a genesis. */
export interface NotGenesis {
  readonly code: 'not_genesis'
}

/** Makes and signs the genesis of a new store. `nonce` is 16 random bytes. */
export function createGenesis(
  crypto: Crypto,
  signer: Signer,
  { storeType, nonce, timestamp }: GenesisInfo & { readonly timestamp: Hlc },
): ParsedIntention {
  assert(nonce.length === GENESIS_NONCE_BYTES, 'a genesis nonce has 16 bytes')
  const ops = encodeUniversalOp({
    kind: 'genesis',
    schema: 0,
    value: create(weaver.GenesisOpSchema, { storeType, nonce }),
  })
  return signIntention(crypto, signer, {
    intention: { author: signer.publicKey, timestamp, storePrev: ZERO_HASH, causalDeps: [], hints: NO_HINTS, ops },
    close: true,
  })
}

/** What a genesis says, or that the intention is none. Parsing has checked a genesis' form already. */
export function readGenesis(parsed: ParsedIntention): Result<GenesisInfo, NotGenesis> {
  const { intention, op } = parsed
  if (!isGenesis(intention) || op.kind !== 'genesis') return err({ code: 'not_genesis' })
  const storeType = parseStoreType(op.value.storeType)
  if (!storeType.ok || op.value.nonce.length !== GENESIS_NONCE_BYTES) return err({ code: 'not_genesis' })
  return ok({ storeType: storeType.value, nonce: op.value.nonce })
}

/** The id of the store that a genesis begins. */
export function genesisStoreId(genesis: ParsedIntention): StoreId {
  assert(isGenesis(genesis.intention), 'a store id is the id of a genesis')
  return toStoreId(genesis.id)
}
