/**
 * Where a history goes on: the writes that are next, opaque to users and checked when they come back.
 *
 * It is no secret and grants nothing: one that was made up names writes whose history its holder may read anyway.
 *
 * @module
 */
import { HASH_BYTES, type IntentionId, toIntentionId } from '@lattice/model'
import { MAX_OPEN_WRITES } from './limits.ts'

const VERSION = 1
const HEADER_BYTES = 2

export interface HistoryPosition {
  /** Writes that are not told yet, and whose successors all are. */
  readonly open: readonly IntentionId[]
  /** Something older was out of reach already. */
  readonly isCutOff: boolean
}

export function encodeHistoryToken({ open, isCutOff }: HistoryPosition): Uint8Array {
  const token = new Uint8Array(HEADER_BYTES + open.length * HASH_BYTES)
  token[0] = VERSION
  token[1] = isCutOff ? 1 : 0
  for (const [index, id] of open.entries()) token.set(id, HEADER_BYTES + index * HASH_BYTES)
  return token
}

/** Undefined for anything that {@link encodeHistoryToken} does not make of 1 to {@link MAX_OPEN_WRITES} writes. */
export function decodeHistoryToken(token: Uint8Array): HistoryPosition | undefined {
  const [version, cut] = token
  const count = (token.length - HEADER_BYTES) / HASH_BYTES
  if (version !== VERSION || (cut !== 0 && cut !== 1)) return undefined
  if (!Number.isInteger(count) || count < 1 || count > MAX_OPEN_WRITES) return undefined
  const open = Array.from({ length: count }, (_, index) => {
    const start = HEADER_BYTES + index * HASH_BYTES
    return toIntentionId(token.slice(start, start + HASH_BYTES))
  })
  return { open, isCutOff: cut === 1 }
}
