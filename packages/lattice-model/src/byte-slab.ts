/**
 * Copies of short arrays, many to a buffer.
 *
 * An array of its own costs an engine several times what its bytes do. A copy from a slab is a view of a larger buffer
 * that it shares with other copies: no array reaches beyond its own bytes, and the buffer lives as long as any of them.
 *
 * @module
 */

/** Bytes of a buffer: what one copy that is kept may hold on to. */
const SLAB_BYTES = 8192
/** Longer arrays are copied by themselves: they would leave much of a buffer unused. */
const COPY_BYTES_MAX = 1024

/** Makes a function that copies; copies made by the same one share buffers. */
export function createByteSlab(): (bytes: Uint8Array) => Uint8Array {
  let slab = new Uint8Array(0)
  let used = 0
  return (bytes) => {
    const { length } = bytes
    // The constructor copies: the `slice` of Node's Buffer would not.
    if (length > COPY_BYTES_MAX) return new Uint8Array(bytes)
    if (used + length > slab.length) {
      slab = new Uint8Array(SLAB_BYTES)
      used = 0
    }
    const copy = slab.subarray(used, used + length)
    copy.set(bytes)
    used += length
    return copy
  }
}
