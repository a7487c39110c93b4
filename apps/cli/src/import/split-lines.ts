/**
 * Cuts a stream of bytes into lines. Holds one line at most, of a bounded
 * length; `\n` and `\r\n` end a line, and so does the end of the stream.
 *
 * @module
 */
import { concatBytes } from '@lattice/model'
import { UsageError } from '../errors.ts'
import { MAX_LINE_BYTES } from './limits.ts'

export interface Line {
  /** From 1. */
  readonly number: number
  /** Without its ending. */
  readonly bytes: Uint8Array
  /** Bytes of the input up to the end of this line. */
  readonly endOffset: number
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** What editors put before UTF-8 text; it is no part of the first line. */
const BYTE_ORDER_MARK: readonly number[] = [0xef, 0xbb, 0xbf]

/** Rejects with {@link UsageError} for a line over the bound, and for text that is no UTF-8 from its first bytes. */
export async function* splitLines(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Line> {
  let parts: Uint8Array[] = []
  let held = 0
  let number = 0
  let offset = 0
  const take = (last: Uint8Array): Line => {
    const whole = parts.length === 0 ? last : concatBytes(...parts, last)
    parts = []
    held = 0
    number += 1
    const bytes = number === 1 ? withoutMark(whole) : whole
    return { number, bytes: bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes, endOffset: offset }
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      checkLength(held + end - start, number + 1)
      offset += end - start + 1
      yield take(chunk.subarray(start, end))
      start = end + 1
    }
    const rest = chunk.subarray(start)
    checkLength(held + rest.length, number + 1)
    // A stream may reuse its chunk, and the rest of a line outlives it.
    if (rest.length > 0) parts.push(rest.slice())
    held += rest.length
    offset += rest.length
  }
  if (held > 0) yield take(new Uint8Array())
}

function withoutMark(line: Uint8Array): Uint8Array {
  const [first, second] = line
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    throw new UsageError('the input is UTF-16: convert it to UTF-8 first', { detail: { line: 1 } })
  return BYTE_ORDER_MARK.every((byte, index) => line[index] === byte) ? line.subarray(BYTE_ORDER_MARK.length) : line
}

function checkLength(length: number, number: number): void {
  if (length > MAX_LINE_BYTES)
    throw new UsageError(`line ${number} has over ${MAX_LINE_BYTES} bytes: no record is that long`, {
      detail: { line: number },
    })
}
