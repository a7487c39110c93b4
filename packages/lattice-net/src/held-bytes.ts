/**
 * What one peer makes this node hold in memory, over all its sessions and streams, within one bound.
 *
 * Each session says how much it holds of the peer's as that changes: frames that are not whole yet, those that wait to be
 * taken in, those that wait until the peer takes them. What each may hold by itself is bounded too, but a peer has many.
 *
 * Pure.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { PEER_HELD_BYTES } from './defence-limits.ts'

export interface HeldBytes {
  /** The part of one session. */
  readonly begin: () => HeldShare
  readonly total: () => number
}

export interface HeldShare {
  /** The session holds so much now. False where it is more than before and the peer has no room: the session is to end. */
  readonly set: (bytes: number) => boolean
  /** It holds nothing any more. Idempotent. */
  readonly end: () => void
}

/** Starts with nothing held. */
export function createHeldBytes(limit: number = PEER_HELD_BYTES): HeldBytes {
  let total = 0
  return {
    total: () => total,
    begin: () => {
      let own = 0
      const change = (bytes: number): void => {
        total += bytes - own
        own = bytes
        assert(total >= 0, 'what is held is counted once')
      }
      return {
        set: (bytes) => {
          assert(bytes >= 0, 'what is held is not negative')
          const isTooMuch = bytes > own && total - own + bytes > limit
          if (!isTooMuch) change(bytes)
          return !isTooMuch
        },
        end: () => change(0),
      }
    },
  }
}
