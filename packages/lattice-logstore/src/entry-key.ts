/**
 * The key of an entry in the table: wall, counter, author, id of the intention, place in it.
 *
 * Bytewise order is order of time, then of author, then of id, then as it was appended. The id is whole, so no two
 * entries share a key, whatever their authors do: which of two is there could otherwise depend on which came first.
 *
 * @module
 */
import {
  assert,
  HASH_BYTES,
  type Hlc,
  type IntentionId,
  PUBLIC_KEY_BYTES,
  type PublicKey,
  toIntentionId,
  toPublicKey,
} from '@lattice/model'

const COUNTER_AT = 8
const AUTHOR_AT = 12
const ID_AT: number = AUTHOR_AT + PUBLIC_KEY_BYTES
const POSITION_AT: number = ID_AT + HASH_BYTES
export const ENTRY_KEY_BYTES: number = POSITION_AT + 2

export interface EntryKey {
  readonly timestamp: Hlc
  readonly author: PublicKey
  /** Of the intention. */
  readonly id: IntentionId
  /** Place in the intention, from 0. */
  readonly position: number
}

export function encodeEntryKey({ timestamp, author, id, position }: EntryKey): Uint8Array {
  const key = new Uint8Array(ENTRY_KEY_BYTES)
  const view = new DataView(key.buffer)
  view.setBigUint64(0, BigInt(timestamp.wall))
  view.setUint32(COUNTER_AT, timestamp.counter)
  key.set(author, AUTHOR_AT)
  key.set(id, ID_AT)
  view.setUint16(POSITION_AT, position)
  return key
}

/** Of a key that this machine wrote. The parts are views of it. */
export function decodeEntryKey(key: Uint8Array): EntryKey {
  assert(key.length === ENTRY_KEY_BYTES, 'a row of a log is an entry')
  const view = new DataView(key.buffer, key.byteOffset)
  return {
    timestamp: { wall: Number(view.getBigUint64(0)), counter: view.getUint32(COUNTER_AT) },
    author: toPublicKey(key.subarray(AUTHOR_AT, ID_AT)),
    id: toIntentionId(key.subarray(ID_AT, POSITION_AT)),
    position: view.getUint16(POSITION_AT),
  }
}

/** The author alone, of a key that is looked at and left. */
export function authorOfKey(key: Uint8Array): Uint8Array {
  return key.subarray(AUTHOR_AT, ID_AT)
}

/** The first key that an entry of `wall` can have. */
export function wallBound(wall: bigint): Uint8Array {
  const bound = new Uint8Array(COUNTER_AT)
  new DataView(bound.buffer).setBigUint64(0, wall)
  return bound
}
