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
import { createByteCursor } from './byte-cursor.ts'
import { type Bound, compareBounds, FIRST_BOUND, INFINITY_BOUND, MAX_TIMESTAMP } from './item.ts'
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
  const cursor = createByteCursor(message, 1)
  let previous = FIRST_BOUND

  function readBound(): Result<Bound, ReconcileError> {
    const start = cursor.offset()
    const encoded = cursor.varint()
    if (!encoded.ok) return encoded
    const timestamp = encoded.value === 0 ? Infinity : previous.timestamp + encoded.value - 1
    if (timestamp !== Infinity && timestamp > MAX_TIMESTAMP) {
      return err({ code: 'timestamp_overflow', offset: start })
    }
    const length = cursor.varint()
    if (!length.ok) return length
    if (length.value > HASH_BYTES) return err({ code: 'prefix_too_long', offset: start, length: length.value })
    const prefix = cursor.bytes(length.value)
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
    const start = cursor.offset()
    const count = cursor.varint()
    if (!count.ok) return count
    const available = Math.floor((message.length - cursor.offset()) / HASH_BYTES)
    if (count.value > available) {
      return err({ code: 'id_list_too_long', offset: start, declared: count.value, available })
    }
    const ids = cursor.bytes(count.value * HASH_BYTES)
    return ids.ok ? ok({ mode: 'idList', bound, ids: ids.value }) : ids
  }

  function next(): Result<WireRange | undefined, ReconcileError> {
    if (cursor.offset() === message.length) return ok(undefined)
    const bound = readBound()
    if (!bound.ok) return bound
    previous = bound.value
    const start = cursor.offset()
    const mode = cursor.varint()
    if (!mode.ok) return mode
    switch (mode.value) {
      case MODE_SKIP:
        return ok({ mode: 'skip', bound: previous })
      case MODE_FINGERPRINT: {
        const bytes = cursor.bytes(FINGERPRINT_BYTES)
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
