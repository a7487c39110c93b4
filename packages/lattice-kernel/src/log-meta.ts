/**
 * The one row that says whose log this is and where it ends.
 *
 * @module
 */
import {
  equalBytes,
  type Hash,
  type Hlc,
  isHlc,
  parseStoreType,
  type PublicKey,
  type StoreId,
  type StoreType,
  toHash,
  toHex,
  toPublicKey,
  toStoreId,
  ZERO_HASH,
} from '@lattice/model'
import { type Database, LogDamaged, StorageFailed, toPlainBytes } from '@lattice/storage'
import type { MetaRow } from './log-schema.ts'

/** Where the log stands. Replaced as a whole at each commit. */
export interface LogMeta {
  readonly storeId: StoreId
  /** Whose witness signatures the log carries. */
  readonly witnessKey: PublicKey
  /** From the genesis; undefined before it. */
  readonly storeType: StoreType | undefined
  readonly headSeq: number
  readonly headHash: Hash
  /** Sum of all witnessed ids mod 2^256. */
  readonly fingerprint: Uint8Array
  readonly hlc: Hlc
  /** The greatest wall time witnessed. */
  readonly highestWall: number
}

/** The version of the log's form. */
export function versionOf(database: Database): number {
  return database.prepare<{ readonly user_version: number }>('PRAGMA user_version').get()?.user_version ?? 0
}

/** Where the log stood at its last checkpoint; `undefined` in a new log. */
export function readMeta(database: Database): LogMeta | undefined {
  const row = database.prepare<MetaRow>('SELECT * FROM log_meta').get()
  if (row === undefined) return undefined
  const hlc: Hlc = { wall: row.hlc_wall, counter: row.hlc_counter }
  const storeType = row.store_type === null ? undefined : parseStoreType(row.store_type)
  const lengths = [row.store_id, row.witness_key, row.head_hash, row.fingerprint].every(
    (bytes) => bytes.length === ZERO_HASH.length,
  )
  const isPlausible = lengths && isHlc(hlc) && storeType?.ok !== false && row.head_seq >= 0
  if (!isPlausible) throw new LogDamaged(database.path, { record: 'log_meta', problem: 'a value out of range' })
  return {
    storeId: toStoreId(toPlainBytes(row.store_id)),
    witnessKey: toPublicKey(toPlainBytes(row.witness_key)),
    storeType: storeType?.value,
    headSeq: row.head_seq,
    headHash: toHash(toPlainBytes(row.head_hash)),
    fingerprint: toPlainBytes(row.fingerprint),
    hlc,
    highestWall: row.highest_wall,
  }
}

/** Writes the row. Inside a transaction. */
export function writeMeta(database: Database, meta: LogMeta): void {
  database
    .prepare('INSERT OR REPLACE INTO log_meta VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    .run(
      meta.storeId,
      meta.witnessKey,
      meta.storeType ?? null,
      meta.headSeq,
      meta.headHash,
      meta.fingerprint,
      meta.hlc.wall,
      meta.hlc.counter,
      meta.highestWall,
    )
}

/** Throws unless the log is of this store and was written by this node. */
export function assertOwner(path: string, meta: LogMeta, owner: Pick<LogMeta, 'storeId' | 'witnessKey'>): void {
  if (!equalBytes(meta.storeId, owner.storeId)) {
    throw new StorageFailed(path, `it holds store ${toHex(meta.storeId)}, not ${toHex(owner.storeId)}`)
  }
  if (!equalBytes(meta.witnessKey, owner.witnessKey)) {
    throw new StorageFailed(path, `it was written under the identity ${toHex(meta.witnessKey)}; use that identity key`)
  }
}
