/**
 * Cuts a byte stream into frames, whatever the sizes in which the bytes arrive.
 *
 * Holds at most one incomplete frame and the chunk that was given last. After a violation it answers the same for ever.
 *
 * @module
 */
import { assert, concatBytes, err, MAX_FRAME_BYTES, ok, type Result } from '@lattice/model'
import { decodeFrame, type Frame, type FrameError } from './frame.ts'

/** Chunks up to this size are joined with what follows them: an array costs about a hundred bytes by itself. */
const JOINED_CHUNK_BYTES = 4096
/**
 * Bytes of a length at most: 1 MiB takes three.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
const MAX_LENGTH_BYTES = 3

export interface FrameDecoder {
  /** Takes the next bytes of the stream. They are not written to by the caller any more. */
  readonly push: (bytes: Uint8Array) => void
  /** The next whole frame, or undefined until more bytes are pushed. */
  readonly next: () => Result<Frame | undefined, FrameError>
  /** What the end of the stream means now: fine between frames, else `frame_truncated`. */
  readonly end: () => Result<undefined, FrameError>
  /** Lets go of what is here: nothing more is read. */
  readonly drop: () => void
  /** Bytes that are here. */
  readonly held: () => number
  /** True while part of a frame is here. */
  readonly partial: () => boolean
}

/** Starts at the beginning of a stream. */
export function createFrameDecoder(): FrameDecoder {
  const bytes = new ByteQueue()
  // Length of the frame being read, once known.
  let expected: number | undefined
  let failure: FrameError | undefined

  function fail(error: FrameError): Result<never, FrameError> {
    failure = error
    bytes.clear()
    return err(error)
  }

  return {
    push: (chunk) => {
      if (failure === undefined) bytes.push(chunk)
    },
    next: () => {
      if (failure !== undefined) return err(failure)
      if (expected === undefined) {
        const length = readLength(bytes)
        if (!length.ok) return fail(length.error)
        expected = length.value
      }
      if (expected === undefined || bytes.length < expected) return ok(undefined)
      const body = bytes.take(expected)
      expected = undefined
      const frame = decodeFrame(body)
      return frame.ok ? frame : fail(frame.error)
    },
    end: () => {
      if (failure !== undefined) return err(failure)
      if (expected === undefined && bytes.length === 0) return ok(undefined)
      return fail({ code: 'frame_truncated', missing: Math.max(1, (expected ?? 1) - bytes.length) })
    },
    drop: () => {
      bytes.clear()
      expected = undefined
    },
    held: () => bytes.length,
    partial: () => expected !== undefined || bytes.length > 0,
  }
}

/** Reads the length before a frame; undefined until all its bytes are here. */
function readLength(bytes: ByteQueue): Result<number | undefined, FrameError> {
  let length = 0
  for (let index = 0; index < bytes.length; index += 1) {
    if (index === MAX_LENGTH_BYTES) return err({ code: 'frame_too_large', limit: MAX_FRAME_BYTES })
    const byte = bytes.at(index)
    length += (byte & 0x7f) * 128 ** index
    if (byte >= 128) continue
    if (length > MAX_FRAME_BYTES) return err({ code: 'frame_too_large', limit: MAX_FRAME_BYTES })
    if (length === 0 || (byte === 0 && index > 0)) return err({ code: 'frame_length_malformed' })
    bytes.take(index + 1)
    return ok(length)
  }
  return ok(undefined)
}

/** Chunks as they came, read as one string of bytes. */
class ByteQueue {
  #chunks: Uint8Array[] = []
  // Where the first chunk goes on.
  #offset = 0
  #length = 0

  get length(): number {
    return this.#length
  }
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.#length += chunk.length
    let joined = chunk
    // Who sends byte by byte costs bytes, not arrays. Each byte is copied a dozen times at most.
    for (let last = this.#last(); last !== undefined && last.length <= joined.length; last = this.#last()) {
      if (last.length > JOINED_CHUNK_BYTES) break
      this.#chunks.pop()
      joined = concatBytes(last, joined)
    }
    this.#chunks.push(joined)
  }
  /** The latest chunk, unless part of it is taken. */
  #last(): Uint8Array | undefined {
    return this.#chunks.length > 1 || this.#offset === 0 ? this.#chunks.at(-1) : undefined
  }
  clear(): void {
    this.#chunks = []
    this.#offset = 0
    this.#length = 0
  }
  at(position: number): number {
    let index = position + this.#offset
    for (const chunk of this.#chunks) {
      if (index < chunk.length) return chunk[index] ?? 0
      index -= chunk.length
    }
    return 0
  }
  /** The first `length` bytes, which are here; a view where they lie together. */
  take(length: number): Uint8Array {
    const parts: Uint8Array[] = []
    let left = length
    while (left > 0) {
      const [chunk] = this.#chunks
      assert(chunk !== undefined, 'no more is taken than is here')
      const part = chunk.subarray(this.#offset, this.#offset + left)
      parts.push(part)
      left -= part.length
      this.#offset += part.length
      if (this.#offset < chunk.length) continue
      this.#chunks.shift()
      this.#offset = 0
    }
    this.#length -= length
    const [first] = parts
    return parts.length === 1 && first !== undefined ? first : concatBytes(...parts)
  }
}
