/**
 * Writes a message range by range into one growing buffer, with a way back when a range turns out not to fit.
 *
 * @module
 */
import { assert, HASH_BYTES } from '@lattice/model'
import type { Fingerprint } from './accumulator.ts'
import type { Bound, Item } from './item.ts'
import { MAX_VARINT_BYTES, writeVarint } from './varint.ts'

/** The version byte of Negentropy v1. */
export const VERSION_BYTE = 0x61

export const MODE_SKIP = 0
export const MODE_FINGERPRINT = 1
export const MODE_ID_LIST = 2

/** A first guess that most messages of small sessions fit. */
const INITIAL_CAPACITY = 1024

/** A place in the message to go back to. */
export interface WriterMark {
  readonly length: number
  readonly timestamp: number
}

export interface MessageWriter {
  /** Bytes so far, the version byte included. */
  readonly length: () => number
  readonly mark: () => WriterMark
  /** Drops everything written since `mark`. */
  readonly rollback: (mark: WriterMark) => void
  readonly skip: (bound: Bound) => void
  readonly fingerprint: (bound: Bound, fingerprint: Fingerprint) => void
  /** `items` yields exactly `count`. */
  readonly idList: (bound: Bound, count: number, items: Iterable<Item>) => void
  /** The message, in a buffer of its own. */
  readonly finish: () => Uint8Array
}

/** Starts a message with its version byte. */
export function createMessageWriter(): MessageWriter {
  let buffer = new Uint8Array(INITIAL_CAPACITY)
  buffer[0] = VERSION_BYTE
  let length = 1
  // Timestamps travel as distance from the one before them in the same message.
  let lastTimestamp = 0

  function reserve(bytes: number): void {
    if (length + bytes <= buffer.length) return
    const grown = new Uint8Array(Math.max(buffer.length * 2, length + bytes))
    grown.set(buffer.subarray(0, length))
    buffer = grown
  }

  function writeNumber(value: number): void {
    reserve(MAX_VARINT_BYTES)
    length = writeVarint(buffer, length, value)
  }

  function writeBytes(bytes: Uint8Array): void {
    reserve(bytes.length)
    buffer.set(bytes, length)
    length += bytes.length
  }

  function writeHead(bound: Bound, mode: number): void {
    assert(bound.timestamp >= lastTimestamp, 'bounds of a message ascend')
    writeNumber(bound.timestamp === Infinity ? 0 : bound.timestamp - lastTimestamp + 1)
    lastTimestamp = bound.timestamp
    writeNumber(bound.prefix.length)
    writeBytes(bound.prefix)
    writeNumber(mode)
  }

  return {
    length: () => length,
    mark: () => ({ length, timestamp: lastTimestamp }),
    rollback: (mark) => {
      assert(mark.length <= length, 'a mark lies within what is written')
      length = mark.length
      lastTimestamp = mark.timestamp
    },
    skip: (bound) => writeHead(bound, MODE_SKIP),
    fingerprint: (bound, fingerprint) => {
      writeHead(bound, MODE_FINGERPRINT)
      writeBytes(fingerprint)
    },
    idList: (bound, count, items) => {
      writeHead(bound, MODE_ID_LIST)
      writeNumber(count)
      reserve(count * HASH_BYTES)
      const end = length + count * HASH_BYTES
      for (const item of items) writeBytes(item.id)
      assert(length === end, 'an id list holds as many ids as it announces')
    },
    finish: () => buffer.slice(0, length),
  }
}
