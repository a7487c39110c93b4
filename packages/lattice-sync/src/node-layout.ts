/**
 * How items and children lie in a node, in bytes.
 *
 * A node is a header and records of one length. A record starts with a key (timestamp as 48 bits big-endian, then the
 * id), so that keys order as bytes do. A leaf's record is the key; an inner one goes on with what its child adds up to:
 * sum, number of items, number of the child. An id is itself a sum of one, so both kinds are summed alike.
 *
 * @module
 */
import { assert, HASH_BYTES } from '@lattice/model'
import { SUM_BYTES } from './accumulator.ts'
import type { Bound, Item } from './item.ts'

/** Version, level, number of records, checksum. */
export const HEADER_BYTES = 8
/** Version of the layout, in a node's first byte. */
export const LAYOUT_VERSION = 1
export const LEVEL_OFFSET = 1
export const RECORDS_OFFSET = 2
export const CHECKSUM_OFFSET = 4

const TIMESTAMP_BYTES = 6
const UINT48_BYTES = 6
const HIGH = 2 ** 32

export const ID_OFFSET: number = TIMESTAMP_BYTES
export const KEY_BYTES: number = TIMESTAMP_BYTES + HASH_BYTES
export const LEAF_RECORD_BYTES: number = TIMESTAMP_BYTES + HASH_BYTES
export const ITEMS_OFFSET: number = KEY_BYTES + SUM_BYTES
export const CHILD_OFFSET: number = ITEMS_OFFSET + UINT48_BYTES
export const INNER_RECORD_BYTES: number = CHILD_OFFSET + UINT48_BYTES

/** Largest timestamp and node number: 48 bits, as in a hybrid logical clock. */
export const MAX_UINT48: number = 2 ** 48 - 1

/** Most bytes of a node: with its row it fills one page of 4 KiB of an SQLite table, 106 items or 49 children. */
export const NODE_BYTES_MAX = 4057
/** Fewest: four children, so that halves and quarters make sense. */
export const NODE_BYTES_MIN: number = HEADER_BYTES + 4 * INNER_RECORD_BYTES
/** What a header can count. */
export const NODE_BYTES_LIMIT = 65_535

/** Where an item is or would be: 38 bytes that compare as items do. */
export type Key = DataView

/** Records that fit a node of a level; leaves are level 0. */
export function recordsMaxOf(nodeBytesMax: number, level: number): number {
  return Math.floor((nodeBytesMax - HEADER_BYTES) / recordBytesOf(level))
}

export function recordBytesOf(level: number): number {
  return level === 0 ? LEAF_RECORD_BYTES : INNER_RECORD_BYTES
}

/** A key to write to. */
export function createKey(): Key {
  return new DataView(new ArrayBuffer(KEY_BYTES))
}

/** Writes an item's place to `key`. */
export function writeItemKey(key: Key, item: Item): void {
  assert(item.timestamp <= MAX_UINT48, 'a timestamp of a stored item has 48 bits')
  writeKey(key, item.timestamp, item.id)
}

/** Writes a bound's place to `key`; a bound beyond every item that can be stored has none. */
export function writeBoundKey(key: Key, bound: Bound): boolean {
  if (bound.timestamp > MAX_UINT48) return false
  writeKey(key, bound.timestamp, bound.prefix)
  return true
}

export function readUint48(view: DataView, offset: number): number {
  return view.getUint16(offset) * HIGH + view.getUint32(offset + 2)
}

export function writeUint48(view: DataView, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0 && value <= MAX_UINT48, 'a stored number has 48 bits')
  view.setUint16(offset, Math.floor(value / HIGH))
  view.setUint32(offset + 2, value % HIGH)
}

/**
 * A checksum (MurmurHash3, 32 bits) of everything behind the checksum field, seeded with the node's number: bytes that
 * turn up under another number are noticed too. Every change within four bytes is.
 */
export function checksumOf(view: DataView, node: number): number {
  let hash = (node % HIGH) | 0
  let offset = CHECKSUM_OFFSET + 4
  for (const end = view.byteLength - 3; offset < end; offset += 4) {
    hash = mix(hash, view.getUint32(offset, true))
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  let rest = 0
  for (; offset < view.byteLength; offset += 1) rest = rest * 256 + view.getUint8(offset)
  hash = mix(hash, rest) ^ view.getUint32(0, true) ^ view.byteLength
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function mix(hash: number, word: number): number {
  const scattered = Math.imul(word, 0xcc9e2d51)
  return hash ^ Math.imul((scattered << 15) | (scattered >>> 17), 0x1b873593)
}

function writeKey(key: Key, timestamp: number, prefix: Uint8Array): void {
  writeUint48(key, 0, timestamp)
  for (let index = 0; index < HASH_BYTES; index += 1) key.setUint8(ID_OFFSET + index, prefix[index] ?? 0)
}
