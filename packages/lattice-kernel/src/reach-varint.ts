/**
 * Numbers in the blocks of the reachability index: base 128, the low digits first, zero included.
 *
 * Blocks are written here and checked against the log, so a reader trusts their form; it still never reads beyond their
 * end, where a number counts as zero.
 *
 * @module
 */

/** A place in bytes that reading moves on. */
export interface Cursor {
  readonly bytes: Uint8Array
  at: number
}

/** Bytes that grow as they are written. */
export interface GrowingBytes {
  bytes: Uint8Array
  length: number
}

/** Bytes of the longest number: a safe integer. */
const VARINT_BYTES_MAX = 8

export function nextVarint(cursor: Cursor): number {
  const { bytes } = cursor
  const first = bytes[cursor.at] ?? 0
  cursor.at += 1
  if (first < 0x80) return first
  let value = first & 0x7f
  let scale = 0x80
  for (let count = 1; count < VARINT_BYTES_MAX; count += 1, scale *= 0x80) {
    const byte = bytes[cursor.at] ?? 0
    cursor.at += 1
    value += (byte & 0x7f) * scale
    if (byte < 0x80) break
  }
  return value
}

export function appendVarint(target: GrowingBytes, value: number): void {
  reserve(target, VARINT_BYTES_MAX)
  let rest = value
  while (rest >= 0x80) {
    target.bytes[target.length] = (rest % 0x80) | 0x80
    target.length += 1
    rest = Math.floor(rest / 0x80)
  }
  target.bytes[target.length] = rest
  target.length += 1
}

export function appendBytes(target: GrowingBytes, { bytes, length }: GrowingBytes): void {
  reserve(target, length)
  target.bytes.set(bytes.subarray(0, length), target.length)
  target.length += length
}

function reserve(target: GrowingBytes, count: number): void {
  if (target.length + count <= target.bytes.length) return
  const grown = new Uint8Array(Math.max(2 * target.bytes.length, target.length + count))
  grown.set(target.bytes.subarray(0, target.length))
  target.bytes = grown
}
