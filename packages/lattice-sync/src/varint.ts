/**
 * Negentropy's varints: base 128, most significant digit first, high bit set on all but the last byte.
 *
 * Only safe integers are written. Reading is the message reader's, which knows how to refuse.
 *
 * @module
 */
import { assert } from '@lattice/model'

/** Bytes of the longest varint: 53 bits, seven a byte. */
export const MAX_VARINT_BYTES = 8

/** Bytes `value` takes as a varint. */
export function varintLength(value: number): number {
  assert(Number.isSafeInteger(value) && value >= 0, 'a varint is a safe integer from 0')
  let length = 1
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) length += 1
  return length
}

/** Writes `value` at `offset` and returns the offset behind it. */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  const end = offset + varintLength(value)
  assert(end <= target.length, 'a varint fits its buffer')
  let rest = value
  for (let index = end - 1; index >= offset; index -= 1) {
    target[index] = (rest % 128) + (index === end - 1 ? 0 : 128)
    rest = Math.floor(rest / 128)
  }
  return end
}

/** The bytes of one varint. */
export function encodeVarint(value: number): Uint8Array {
  const bytes = new Uint8Array(varintLength(value))
  writeVarint(bytes, 0, value)
  return bytes
}
