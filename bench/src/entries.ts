/**
 * The data that every row writes: keys of 16 bytes in random order, values of 100 bytes.
 *
 * @module
 */
import { create, toBinary } from '@bufbuild/protobuf'
import { utf8Encode } from '@lattice/model'
import { kv } from '@lattice/proto'

export const KEY_BYTES = 16
export const VALUE_BYTES = 100
/** Entries fall into this many groups, each with a prefix of its own: `g00/` to `g99/`. */
export const GROUPS = 100

/** The key of an entry: its group, then bits that look random, so that rows arrive in no order. */
export function keyOf(entry: number): Uint8Array {
  const group = String(entry % GROUPS).padStart(2, '0')
  return utf8Encode(
    `g${group}/${mix(entry).toString(16).padStart(8, '0')}${(entry % 0xffff).toString(16).padStart(4, '0')}`,
  )
}

/** A key after all that came before: a large store is filled in order, where the order is not what is measured. */
export function ascendingKeyOf(entry: number): Uint8Array {
  return utf8Encode(String(entry).padStart(KEY_BYTES, '0'))
}

export function valueOf(entry: number): Uint8Array {
  const value = new Uint8Array(VALUE_BYTES)
  for (let index = 0; index < VALUE_BYTES; index += 1) value[index] = 0x20 + ((entry * 31 + index * 7) % 95)
  return value
}

/** The payload of one put, as an intention carries it. */
export function putPayload(key: Uint8Array, value: Uint8Array): Uint8Array {
  const operation = create(kv.KvOperationSchema, { key, operation: { case: 'put', value } })
  return toBinary(kv.KvPayloadSchema, create(kv.KvPayloadSchema, { operations: [operation] }))
}

/** A bijection of 32-bit numbers without a visible pattern. */
function mix(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x45d9f3b)
  bits = Math.imul(bits ^ (bits >>> 16), 0x45d9f3b)
  return (bits ^ (bits >>> 16)) >>> 0
}
