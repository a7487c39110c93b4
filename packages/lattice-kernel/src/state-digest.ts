/**
 * One hash over all state.
 *
 * Rows are hashed in blocks of a fixed count, each with the hash of the blocks before it, so memory stays bounded and the
 * result depends on the rows alone: their order, keys and values, each with its length.
 *
 * @module
 */
import { type Crypto, type Hash, type ReadTable, ZERO_HASH } from '@lattice/model'
import type { ReadStoreTables } from '@lattice/store-base'

const ROWS_PER_BLOCK = 64
const SYSTEM_TABLE = Uint8Array.of(1)
const APP_TABLE = Uint8Array.of(2)

/** Equal exactly when both tables hold the same rows. */
export function digestState(crypto: Crypto, { system, app }: ReadStoreTables): Hash {
  return digestTable(crypto, app, digestTable(crypto, system, ZERO_HASH, SYSTEM_TABLE), APP_TABLE)
}

// oxlint-disable-next-line max-params -- A fold: what is hashed, what came before, and the tag that tells tables apart.
function digestTable(crypto: Crypto, table: ReadTable, before: Hash, tag: Uint8Array): Hash {
  let hash = crypto.blake3(before, tag)
  let block: Uint8Array[] = []
  let rows = 0
  for (const { key, value } of table.scan({})) {
    block.push(lengthOf(key), key, lengthOf(value), value)
    rows += 1
    if (rows % ROWS_PER_BLOCK !== 0) continue
    hash = crypto.blake3(hash, ...block)
    block = []
  }
  return crypto.blake3(hash, ...block)
}

/** A u32, little-endian. */
function lengthOf({ length }: Uint8Array): Uint8Array {
  return Uint8Array.of(length & 0xff, (length >>> 8) & 0xff, (length >>> 16) & 0xff, length >>> 24)
}
