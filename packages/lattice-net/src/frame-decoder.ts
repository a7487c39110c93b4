/**
 * Cuts a byte stream into frames, whatever the sizes in which the bytes arrive.
 *
 * Holds at most one incomplete frame and the chunk that was given last. After a violation it answers the same for ever.
 *
 * @module
 */
import { concatBytes, err, MAX_FRAME_BYTES, ok, type Result } from '@lattice/model'
import { decodeFrame, type Frame, type FrameError } from './frame.ts'

/** Bytes of a length at most: 1 MiB takes three. */
const MAX_LENGTH_BYTES = 3

export interface FrameDecoder {
  /** Takes the next bytes of the stream. They are not written to by the caller any more. */
  readonly push: (bytes: Uint8Array) => void
  /** The next whole frame, or undefined until more bytes are pushed. */
  readonly next: () => Result<Frame | undefined, FrameError>
  /** What the end of the stream means now: fine between frames, else `frame_truncated`. */
  readonly end: () => Result<undefined, FrameError>
  /** True while part of a frame is here. */
  readonly partial: () => boolean
}

/** Starts at the beginning of a stream. */
export function createFrameDecoder(): FrameDecoder {
  // What arrived and is not consumed yet: chunks in order, the first from `offset` on.
  let chunks: Uint8Array[] = []
  let offset = 0
  let available = 0
  // Length of the frame being read, once known.
  let expected: number | undefined
  let failure: FrameError | undefined

  function peek(position: number): number {
    let index = position + offset
    for (const chunk of chunks) {
      if (index < chunk.length) return chunk[index] ?? 0
      index -= chunk.length
    }
    return 0
  }

  function take(length: number): Uint8Array {
    const parts: Uint8Array[] = []
    let left = length
    while (left > 0) {
      const [chunk] = chunks
      if (chunk === undefined) break
      const part = chunk.subarray(offset, offset + left)
      parts.push(part)
      left -= part.length
      offset += part.length
      if (offset === chunk.length) {
        chunks.shift()
        offset = 0
      }
    }
    available -= length
    const [first] = parts
    return parts.length === 1 && first !== undefined ? first : concatBytes(...parts)
  }

  function fail(error: FrameError): Result<never, FrameError> {
    failure = error
    chunks = []
    available = 0
    return err(error)
  }

  /** Reads the length before a frame; false until all its bytes are here. */
  function readLength(): Result<boolean, FrameError> {
    let length = 0
    for (let index = 0; index < available; index += 1) {
      if (index === MAX_LENGTH_BYTES) return fail({ code: 'frame_too_large', limit: MAX_FRAME_BYTES })
      const byte = peek(index)
      length += (byte & 0x7f) * 128 ** index
      if (byte >= 128) continue
      if (length > MAX_FRAME_BYTES) return fail({ code: 'frame_too_large', limit: MAX_FRAME_BYTES })
      if (length === 0 || (byte === 0 && index > 0)) return fail({ code: 'frame_length_malformed' })
      take(index + 1)
      expected = length
      return ok(true)
    }
    return ok(false)
  }

  return {
    push: (bytes) => {
      if (failure !== undefined || bytes.length === 0) return
      chunks.push(bytes)
      available += bytes.length
    },
    next: () => {
      if (failure !== undefined) return err(failure)
      if (expected === undefined) {
        const known = readLength()
        if (!known.ok) return known
      }
      if (expected === undefined || available < expected) return ok(undefined)
      const body = take(expected)
      expected = undefined
      const frame = decodeFrame(body)
      return frame.ok ? frame : fail(frame.error)
    },
    end: () => {
      if (failure !== undefined) return err(failure)
      if (expected === undefined && available === 0) return ok(undefined)
      return fail({ code: 'frame_truncated', missing: Math.max(1, (expected ?? 1) - available) })
    },
    partial: () => expected !== undefined || available > 0,
  }
}
