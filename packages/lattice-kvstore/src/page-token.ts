/**
 * Where a list goes on: opaque to its users, checked when it comes back.
 *
 * A token holds the last key of its page and the direction. It is not secret
 * and grants nothing: one that was made up is at worst a place in the listing
 * its holder may read anyway.
 *
 * @module
 */
import { isKvKey } from '@lattice/kvtable'

const VERSION = 1
const HEADER_BYTES = 2

export interface PagePosition {
  /** The last key that was given out. */
  readonly after: Uint8Array
  readonly reverse: boolean
}

export function encodePageToken({ after, reverse }: PagePosition): Uint8Array {
  const token = new Uint8Array(HEADER_BYTES + after.length)
  token[0] = VERSION
  token[1] = reverse ? 1 : 0
  token.set(after, HEADER_BYTES)
  return token
}

/** Undefined for anything that {@link encodePageToken} does not make. */
export function decodePageToken(token: Uint8Array): PagePosition | undefined {
  const [version, direction] = token
  const after = token.subarray(HEADER_BYTES)
  if (version !== VERSION || (direction !== 0 && direction !== 1) || !isKvKey(after)) return undefined
  return { after, reverse: direction === 1 }
}
