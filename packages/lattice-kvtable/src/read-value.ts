/**
 * The value of a stored key without the rest of its heads: what most reads want.
 *
 * It walks the encoding of `value-codec.ts` and makes nothing but the view of the value.
 *
 * @module
 */
import { assert } from '@lattice/model'

/** What a key reads as. */
export interface KvValue {
  /** Undefined when the winner deleted the key. */
  readonly value: Uint8Array | undefined
  /** More than one write stands. */
  readonly conflicted: boolean
}

const FIELD_HEADS = 1
const FIELD_VALUE = 5
const WIRE_VARINT = 0
const WIRE_BYTES = 2
const WIRE_BITS = 3
const WIRE_MASK = 7

/** Reads stored bytes, as `decodeHeads` would; the value is a view of them. */
export function readValue(bytes: Uint8Array): KvValue {
  const { start, end } = readLength(bytes, 0)
  assert(bytes[0] === ((FIELD_HEADS << WIRE_BITS) | WIRE_BYTES) && end <= bytes.length, 'a stored key has a head')
  let value: Uint8Array | undefined
  for (let at = start; at < end;) {
    const tag = bytes[at] ?? 0
    if ((tag & WIRE_MASK) === WIRE_VARINT) {
      at += 1
      while ((bytes[at] ?? 0) >= CONTINUES) at += 1
      at += 1
      continue
    }
    assert((tag & WIRE_MASK) === WIRE_BYTES, 'a stored head has numbers and bytes')
    const field = readLength(bytes, at)
    if (tag >> WIRE_BITS === FIELD_VALUE) value = bytes.subarray(field.start, field.end)
    at = field.end
  }
  return { value, conflicted: end < bytes.length }
}

const CONTINUES = 0x80
const VARINT_BITS = 7

/** Where the bytes of the field at `at` begin and end. */
function readLength(bytes: Uint8Array, at: number): { readonly start: number; readonly end: number } {
  let length = 0
  let scale = 1
  for (let offset = at + 1; offset < bytes.length; offset += 1) {
    const byte = bytes[offset] ?? 0
    length += (byte % CONTINUES) * scale
    if (byte < CONTINUES) return { start: offset + 1, end: offset + 1 + length }
    scale *= 2 ** VARINT_BITS
  }
  return { start: bytes.length, end: bytes.length + 1 }
}
