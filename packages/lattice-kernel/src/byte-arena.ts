/**
 * Byte arrays of a few hundred bytes, cut from larger ones: an array of its own costs more than filling it.
 *
 * What is cut keeps the whole of what it is cut from in memory, so whoever keeps one for long keeps a copy.
 *
 * @module
 */

export interface ByteArena {
  /** A new array of zeros. */
  readonly take: (length: number) => Uint8Array
}

const CHUNK_BYTES: number = 64 * 1024
/** What is larger gets an array of its own, so that little of a chunk is left over. */
const SHARED_MAX_BYTES: number = CHUNK_BYTES / 8

export function createByteArena(): ByteArena {
  let chunk = new Uint8Array(0)
  let used = 0
  return {
    take: (length) => {
      if (length > SHARED_MAX_BYTES) return new Uint8Array(length)
      if (chunk.length - used < length) [chunk, used] = [new Uint8Array(CHUNK_BYTES), 0]
      const start = used
      used += length
      return chunk.subarray(start, used)
    },
  }
}
