/**
 * Protobuf varints of JS numbers, for the messages that are encoded by hand.
 *
 * @module
 */

/** Bytes of the longest varint that can be a safe integer. */
export const MAX_VARINT_BYTES = 8

/** Length of a non-negative safe integer as a varint. */
export function varintBytes(value: number): number {
  let length = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length += 1
  return length
}

/** Writes a non-negative safe integer; answers the offset behind it. */
export function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let offset = start
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    bytes[offset] = (rest % 128) | 0x80
    offset += 1
  }
  bytes[offset] = rest
  return offset + 1
}

/**
 * Reads a varint from 1 to `max` (a safe integer) that is in its shortest form; -1 for anything else. Zero is refused too: a
 * canonical message leaves a default value out.
 */
export function readVarint(bytes: Uint8Array, start: number, max: number): number {
  let value = 0
  let scale = 1
  for (let index = 0; index < MAX_VARINT_BYTES; index += 1, scale *= 128) {
    const byte = bytes[start + index]
    if (byte === undefined) return -1
    // Beyond 2^53 the sum is rounded, but never down to `max` or below.
    value += (byte & 0x7f) * scale
    if (byte < 128) return byte === 0 || value > max ? -1 : value
  }
  return -1
}
