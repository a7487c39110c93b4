/**
 * The state root: what the rows of a state's tables hash to, whatever their history.
 *
 *     row   BLAKE3-XOF, 2,048 bytes, of "lattice/state-row/v1" ‖ table (1 byte) ‖ key length (u32 LE) ‖ key ‖ value
 *     root  BLAKE3 of "lattice/state-root/v1" ‖ sum of the rows, lane by lane (see lt-hash.ts)
 *
 * A row has exactly one such encoding and no two rows share one. States with equal rows have equal roots. Peers sign
 * roots, so the format is pinned by golden vectors.
 *
 * @module
 */
import { assert, type Crypto, equalBytes, type Hash, utf8Encode } from '@lattice/model'
import { createLtHash, LT_HASH_BYTES } from './lt-hash.ts'
import type { TableName } from './sqlite-table.ts'

/** How many rows each table has. */
export type RowCounts = Readonly<Record<TableName, number>>

/** What a state's rows come to. */
export interface StateRoot {
  readonly hash: Hash
  readonly rows: RowCounts
}

/** The sum behind a root, which changes row by row. */
export interface StateSum {
  /** A row changes: `undefined` is for one that is not there. */
  readonly change: (table: TableName, key: Uint8Array, change: RowValues) => void
  readonly root: () => StateRoot
  readonly rows: () => RowCounts
  /** To be kept, and given to {@link createStateSum} again. */
  readonly lanes: () => Uint8Array
}

export interface RowValues {
  readonly before: Uint8Array | undefined
  readonly after: Uint8Array | undefined
}

/** A sum that was kept. */
export interface KeptSum {
  readonly lanes: Uint8Array
  readonly rows: RowCounts
}

const ROW_TAG = utf8Encode('lattice/state-row/v1')
const ROOT_TAG = utf8Encode('lattice/state-root/v1')
const TABLE_BYTE: Readonly<Record<TableName, number>> = { system: 1, app: 2 }

/** The sum of no rows, or one that was kept. */
export function createStateSum(crypto: Crypto, kept?: KeptSum): StateSum {
  const sum = createLtHash(kept?.lanes)
  const rows: Record<TableName, number> = { system: 0, app: 0, ...kept?.rows }
  const head = new Uint8Array(ROW_TAG.length + 5)
  head.set(ROW_TAG)
  const headView = new DataView(head.buffer)

  function elementOf(table: TableName, key: Uint8Array, value: Uint8Array): Uint8Array {
    head[ROW_TAG.length] = TABLE_BYTE[table]
    headView.setUint32(ROW_TAG.length + 1, key.length, true)
    return crypto.blake3Xof(LT_HASH_BYTES, head, key, value)
  }

  return {
    change: (table, key, { before, after }) => {
      if (before !== undefined && after !== undefined && equalBytes(before, after)) return
      if (before !== undefined) {
        sum.remove(elementOf(table, key, before))
        rows[table] -= 1
      }
      if (after !== undefined) {
        sum.add(elementOf(table, key, after))
        rows[table] += 1
      }
      assert(rows[table] >= 0, 'only rows that were counted go')
    },
    root: () => ({ hash: crypto.blake3(ROOT_TAG, sum.bytes()), rows: { ...rows } }),
    rows: () => ({ ...rows }),
    lanes: sum.bytes,
  }
}
