/**
 * The bounds of a reconciliation, each with its reason.
 *
 * They hold whatever a peer sends, so a session with a stranger costs at most these, and rounds are counted.
 *
 * @module
 */
import { assert, MAX_FRAME_BYTES } from '@lattice/model'

/** Room a transport frame keeps for what wraps a message: a protobuf envelope and the ids in it. */
export const ENVELOPE_BYTES = 4096

/**
 * Longest message sent or accepted: one transport frame less its envelope. Bounds memory and work per message.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const MAX_MESSAGE_BYTES: number = MAX_FRAME_BYTES - ENVELOPE_BYTES

/** Smallest frame limit of the public specification: one split range always fits, so every message makes progress. */
export const MIN_FRAME_BYTES = 4096

/**
 * Own ids one message may make the initiator look at and report: 2 MiB of ids, twice what a message itself can name.
 * @beyond The range is asked for again, in pieces.
 */
export const MAX_IDS_PER_MESSAGE = 65_536

/** Smallest such budget: below the size of a leaf, a range could be put off for ever. */
export const MIN_IDS_PER_MESSAGE = 32

/**
 * Messages one session answers at most: several times what 10 million differences take in frames of 1 MiB.
 * @beyond The session ends with an error.
 */
export const MAX_ROUNDS = 65_536

/** Bytes of a frame that may go unused when the next range does not fit: the margin and one split range. */
const FRAME_SLACK_BYTES = 1300
/** What one differing item costs on the wire: its id once per side, and its share of fingerprints above it. */
const BYTES_PER_DIFFERENCE = 96

/** What {@link roundLimit} weighs. */
export interface RoundLimitOptions {
  /** Items of this side. */
  readonly localCount: number
  /** Items the other side claims. A wrong claim moves the limit, never past {@link MAX_ROUNDS}. */
  readonly remoteCount: number
  /** The smaller of both sides' frame limits. */
  readonly frameBytesMax: number
}

/**
 * Messages each side may need at most between honest peers, even when no item is shared. A session that goes on
 * longer faces a peer that lies or an index that changes faster than it reconciles, and ends.
 */
export function roundLimit({ localCount, remoteCount, frameBytesMax }: RoundLimitOptions): number {
  assert(localCount >= 0 && remoteCount >= 0, 'counts are not negative')
  assert(frameBytesMax >= MIN_FRAME_BYTES, 'a frame limit is at least the smallest of the specification')
  const items = localCount + remoteCount
  const levels = 2 + Math.ceil(Math.log2(items + 2) / 4)
  const frames = 1 + Math.ceil((items * BYTES_PER_DIFFERENCE) / (frameBytesMax - FRAME_SLACK_BYTES))
  const budgets = 2 * Math.ceil(localCount / MAX_IDS_PER_MESSAGE)
  return Math.min(MAX_ROUNDS, levels * (frames + budgets))
}
