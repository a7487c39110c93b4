/**
 * Where a reader stands in this node's log, as opaque bytes.
 *
 * A position alone would say nothing once the log is another: after a repair, on another node, or when the machine reads
 * it differently. So a cursor also holds a part of the chain hash at the position and a mark of what projects the log.
 * It is no secret and grants nothing: one that was made up is at worst a place in what its holder may read anyway.
 *
 * @module
 */
import type { Crypto } from '@lattice/model'
import { utf8Encode } from '@lattice/model'

const VERSION = 1
const SEQ_AT = 1
const PROJECTOR_AT = 9
const CHAIN_AT = 13
/** Of the chain hash: another log has the same with a chance of 2^-128. */
const CHAIN_BYTES = 16
const CURSOR_BYTES: number = CHAIN_AT + CHAIN_BYTES

export interface LogPosition {
  /** The last record that is applied; 0 before the first. */
  readonly seq: number
  readonly chainHash: Uint8Array
}

export interface LogCursors {
  readonly encode: (position: LogPosition) => Uint8Array
  /** The seq that a cursor names, where its mark is ours; undefined for anything else. */
  readonly seqOf: (cursor: Uint8Array) => number | undefined
  readonly isAt: (cursor: Uint8Array, chainHash: Uint8Array) => boolean
}

/** Cursors into a log that `projector`, by its version, turns into state. */
export function createLogCursors(crypto: Crypto, projector: string): LogCursors {
  const mark = crypto.blake3(utf8Encode(projector)).subarray(0, CHAIN_AT - PROJECTOR_AT)
  return {
    encode: ({ seq, chainHash }) => {
      const cursor = new Uint8Array(CURSOR_BYTES)
      cursor[0] = VERSION
      new DataView(cursor.buffer).setBigUint64(SEQ_AT, BigInt(seq))
      cursor.set(mark, PROJECTOR_AT)
      cursor.set(chainHash.subarray(0, CHAIN_BYTES), CHAIN_AT)
      return cursor
    },
    seqOf: (cursor) => {
      if (cursor.length !== CURSOR_BYTES || cursor[0] !== VERSION) return undefined
      if (mark.some((byte, index) => cursor[PROJECTOR_AT + index] !== byte)) return undefined
      const seq = new DataView(cursor.buffer, cursor.byteOffset).getBigUint64(SEQ_AT)
      return seq <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(seq) : undefined
    },
    isAt: (cursor, chainHash) => {
      for (let index = 0; index < CHAIN_BYTES; index += 1)
        if (cursor[CHAIN_AT + index] !== chainHash[index]) return false
      return true
    },
  }
}
