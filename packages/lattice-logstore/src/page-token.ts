/**
 * Where a read goes on: opaque to its users, checked when it comes back.
 *
 * A token holds the direction, the last key that was looked at and, of a tail, the key that it ends with. It is not secret
 * and grants nothing: one that was made up is at worst a place in the log its holder may read anyway.
 *
 * @module
 */
import { concatBytes } from '@lattice/model'
import { ENTRY_KEY_BYTES } from './entry-key.ts'

const VERSION = 1
const AFTER_AT = 2
const UNTIL_AT: number = AFTER_AT + ENTRY_KEY_BYTES
const DIRECTIONS = { forward: 0, reverse: 1, tail: 2 } as const

export interface PagePosition {
  readonly after: Uint8Array
  readonly reverse: boolean
  /** The newest entry of a tail, when it was asked for; undefined where all of the range is read. */
  readonly until: Uint8Array | undefined
}

export function encodePageToken({ after, reverse, until }: PagePosition): Uint8Array {
  const direction = until === undefined ? (reverse ? DIRECTIONS.reverse : DIRECTIONS.forward) : DIRECTIONS.tail
  return concatBytes(Uint8Array.of(VERSION, direction), after, until ?? new Uint8Array())
}

/** Undefined for anything that {@link encodePageToken} does not make. */
export function decodePageToken(token: Uint8Array): PagePosition | undefined {
  const [version, direction] = token
  const length = direction === DIRECTIONS.tail ? UNTIL_AT + ENTRY_KEY_BYTES : UNTIL_AT
  if (version !== VERSION || token.length !== length) return undefined
  const after = token.subarray(AFTER_AT, UNTIL_AT)
  switch (direction) {
    case DIRECTIONS.forward:
    case DIRECTIONS.reverse:
      return { after, reverse: direction === DIRECTIONS.reverse, until: undefined }
    case DIRECTIONS.tail:
      return { after, reverse: false, until: token.subarray(UNTIL_AT) }
    default:
      return undefined
  }
}
