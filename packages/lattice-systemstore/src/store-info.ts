/**
 * What the system table says of the store itself.
 *
 * @module
 */
import type { PublicKey, ReadTable } from '@lattice/model'
import { keptReading } from './kept-readings.ts'
import { type StoreField, systemPrefix } from './keys.ts'
import { readField, readFields } from './read-fields.ts'
import { decodeCount, decodePeer, decodeSeq, decodeStrategy, decodeText, isMark, type Strategy } from './values.ts'

export interface ReplicationPolicy {
  /** Copies wanted. */
  readonly factor: number
  /** Placement map; empty when none is set. */
  readonly crush: Uint8Array
}

export function readName(read: ReadTable): string | undefined {
  return readStoreField(read, 'name', decodeText)
}

/** Undefined until it is set: the store then has peers of its own. */
export function readStrategy(read: ReadTable): Strategy | undefined {
  return keptReading(read, 'strategy', () => readStoreField(read, 'strategy', decodeStrategy))
}

export function readAppId(read: ReadTable): string | undefined {
  return readStoreField(read, 'app-id', decodeText)
}

/** The author of the genesis; undefined before it is applied. */
export function readCreator(read: ReadTable): PublicKey | undefined {
  return readStoreField(read, 'creator', decodePeer)
}

export function readDestroyed(read: ReadTable): boolean {
  return readStoreField(read, 'destroyed', isMark) ?? false
}

/** Seq of the latest epoch that counts; undefined in a store without any. */
export function readEpochSeq(read: ReadTable): bigint | undefined {
  return readStoreField(read, 'epoch', decodeSeq)
}

/** Peers that have stopped using the store since it is destroyed, in order of key. */
export function readDestroyAcks(read: ReadTable): readonly PublicKey[] {
  return [...readFields(read, systemPrefix('destroy-ack'))].flatMap(({ key }) =>
    key.kind === 'store_destroy_ack' ? [key.peer] : [],
  )
}

export function readReplication(read: ReadTable): ReplicationPolicy | undefined {
  const factor = readField(read, { kind: 'replication', field: 'factor' }, decodeCount)
  const crush = readField(read, { kind: 'replication', field: 'crush' }, (bytes) => bytes)
  return factor === undefined ? undefined : { factor, crush: crush ?? new Uint8Array() }
}

function readStoreField<T>(
  read: ReadTable,
  field: StoreField,
  decode: (bytes: Uint8Array) => T | undefined,
): T | undefined {
  return readField(read, { kind: 'store', field }, decode)
}
