/**
 * Walks over a message's bytes and refuses to run past their end.
 *
 * @module
 */
import { err, ok, type Result } from '@lattice/model'
import type { ReconcileError } from './reconcile-error.ts'

export interface ByteCursor {
  readonly offset: () => number
  /** The next varint, in its shortest form and at most 2^53 - 1. */
  readonly varint: () => Result<number, ReconcileError>
  /** The next `length` bytes, as a view. */
  readonly bytes: (length: number) => Result<Uint8Array, ReconcileError>
}

/** Starts at `offset` of `message`. */
export function createByteCursor(message: Uint8Array, offset: number): ByteCursor {
  let at = offset

  function varint(): Result<number, ReconcileError> {
    const start = at
    if (message[start] === 0x80) return err({ code: 'varint_not_minimal', offset: start })
    let value = 0
    for (;;) {
      const byte = message[at]
      if (byte === undefined) return err({ code: 'truncated', offset: at })
      value = value * 128 + (byte & 0x7f)
      if (!Number.isSafeInteger(value)) return err({ code: 'varint_overflow', offset: start })
      at += 1
      if (byte < 0x80) return ok(value)
    }
  }

  function bytes(length: number): Result<Uint8Array, ReconcileError> {
    if (length > message.length - at) return err({ code: 'truncated', offset: message.length })
    at += length
    return ok(message.subarray(at - length, at))
  }

  return { offset: () => at, varint, bytes }
}
