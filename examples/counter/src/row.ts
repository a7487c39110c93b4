/**
 * One row of the table: a counter under the bytes of its name.
 *
 * The bytes are what replicas compare, so there is one encoding of each row: the total in eight bytes, then the ids of
 * the resets that stand, in order.
 *
 * @module
 */
import { compareBytes, concatBytes, HASH_BYTES, type IntentionId, toIntentionId } from '@lattice/model'

export interface CounterRow {
  /** A 64-bit integer; it wraps around, since a limit would be reached in some orders and not in others. */
  readonly total: bigint
  /** Resets that no later reset has cited. More than one only after concurrent resets. */
  readonly resets: readonly IntentionId[]
}

const TOTAL_BYTES = 8

export function decodeRow(bytes: Uint8Array | undefined): CounterRow {
  if (bytes === undefined) return { total: 0n, resets: [] }
  const resets: IntentionId[] = []
  for (let at = TOTAL_BYTES; at < bytes.length; at += HASH_BYTES)
    resets.push(toIntentionId(bytes.slice(at, at + HASH_BYTES)))
  return { total: new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0), resets }
}

export function encodeRow({ total, resets }: CounterRow): Uint8Array {
  const head = new Uint8Array(TOTAL_BYTES)
  new DataView(head.buffer).setBigInt64(0, total)
  return concatBytes(head, ...resets.toSorted(compareBytes))
}
