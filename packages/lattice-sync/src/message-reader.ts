/**
 * Reads a message range by range, and refuses whatever is not one.
 *
 * Nothing is allocated from a length before the bytes behind it are known to be there. Prefixes, fingerprints and id
 * lists are views of the message.
 *
 * @module
 */
import { assert, err, HASH_BYTES, ok, type Result } from '@lattice/model'
import { type Fingerprint, FINGERPRINT_BYTES, toFingerprint } from './accumulator.ts'
import { type Bound, compareBounds, FIRST_BOUND, INFINITY_BOUND } from './item.ts'
import { MODE_FINGERPRINT, MODE_ID_LIST, MODE_SKIP } from './message-writer.ts'
import type { ReconcileError } from './reconcile-error.ts'

/** One range of a message; it starts where the one before it ended. */
export type WireRange =
  | { readonly mode: 'skip'; readonly bound: Bound }
  | { readonly mode: 'fingerprint'; readonly bound: Bound; readonly fingerprint: Fingerprint }
  /** `ids` holds them back to back, 32 bytes each. */
  | { readonly mode: 'idList'; readonly bound: Bound; readonly ids: Uint8Array }

export interface MessageReader {
  /** The next range; `undefined` at the end of the message. After a refusal it is not called again. */
  readonly next: () => Result<WireRange | undefined, ReconcileError>
}

/** Reads the ranges of `message`, behind its version byte. */
export function createMessageReader(message: Uint8Array): MessageReader {
  assert(message.length > 0, 'a message starts with its version')
  let offset = 1
  let previous = FIRST_BOUND

  function readVarint(): Result<number, ReconcileError> {
    const start = offset
    let value = 0
    for (;;) {
      const byte = message[offset]
      if (byte === undefined) return err({ code: 'truncated', offset })
      if (offset === start && byte === 0x80) return err({ code: 'varint_not_minimal', offset: start })
      value = value * 128 + (byte & 0x7f)
      if (!Number.isSafeInteger(value)) return err({ code: 'varint_overflow', offset: start })
      offset += 1
      if (byte < 0x80) return ok(value)
    }
  }

  function readBytes(length: number): Result<Uint8Array, ReconcileError> {
    if (length > message.length - offset) return err({ code: 'truncated', offset: message.length })
    offset += length
    return ok(message.subarray(offset - length, offset))
  }

  function readBound(): Result<Bound, ReconcileError> {
    const start = offset
    const encoded = readVarint()
    if (!encoded.ok) return encoded
    const timestamp = encoded.value === 0 ? Infinity : previous.timestamp + encoded.value - 1
    if (timestamp !== Infinity && !Number.isSafeInteger(timestamp)) {
      return err({ code: 'timestamp_overflow', offset: start })
    }
    const length = readVarint()
    if (!length.ok) return length
    if (length.value > HASH_BYTES) return err({ code: 'prefix_too_long', offset: start, length: length.value })
    const prefix = readBytes(length.value)
    if (!prefix.ok) return prefix
    if (previous.timestamp === Infinity && encoded.value !== 0) {
      return err({ code: 'range_after_infinity', offset: start })
    }
    if (timestamp === Infinity) {
      return length.value === 0 ? ok(INFINITY_BOUND) : err({ code: 'infinity_with_prefix', offset: start })
    }
    const bound: Bound = { timestamp, prefix: prefix.value }
    return compareBounds(bound, previous) < 0 ? err({ code: 'bound_backwards', offset: start }) : ok(bound)
  }

  function readIdList(bound: Bound): Result<WireRange, ReconcileError> {
    const start = offset
    const count = readVarint()
    if (!count.ok) return count
    const available = Math.floor((message.length - offset) / HASH_BYTES)
    if (count.value > available) {
      return err({ code: 'id_list_too_long', offset: start, declared: count.value, available })
    }
    const ids = readBytes(count.value * HASH_BYTES)
    return ids.ok ? ok({ mode: 'idList', bound, ids: ids.value }) : ids
  }

  function next(): Result<WireRange | undefined, ReconcileError> {
    if (offset === message.length) return ok(undefined)
    const bound = readBound()
    if (!bound.ok) return bound
    previous = bound.value
    const start = offset
    const mode = readVarint()
    if (!mode.ok) return mode
    switch (mode.value) {
      case MODE_SKIP:
        return ok({ mode: 'skip', bound: previous })
      case MODE_FINGERPRINT: {
        const bytes = readBytes(FINGERPRINT_BYTES)
        return bytes.ok ? ok({ mode: 'fingerprint', bound: previous, fingerprint: toFingerprint(bytes.value) }) : bytes
      }
      case MODE_ID_LIST:
        return readIdList(previous)
      default:
        return err({ code: 'bad_mode', offset: start, mode: mode.value })
    }
  }

  return { next }
}
