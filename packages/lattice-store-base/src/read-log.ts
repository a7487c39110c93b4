/**
 * The writes behind the state, for methods that look back: the history of a key, or what changed since a reader was last
 * here.
 *
 * What is seen is what the state was made of: witnessed, applied and not rejected. It reaches back as far as this node's
 * log does, which may be less far than the state, so nothing that decides state may read it.
 *
 * @module
 */
import type { Hlc, IntentionId, PublicKey } from '@lattice/model'

/** A write of this machine as the log has it. */
export interface LoggedWrite {
  readonly id: IntentionId
  readonly author: PublicKey
  readonly timestamp: Hlc
  /** As `apply` was given them: those of an AckOp that folds more are among them. Sorted, unique. Made when asked for. */
  readonly deps: readonly IntentionId[]
  /** Schema version of the payload. */
  readonly schema: number
  readonly payload: Uint8Array
}

/** A write with its place in the log. */
export interface PlacedWrite extends LoggedWrite {
  /** Of the state right after it. Made when asked for. */
  readonly cursor: Uint8Array
}

/** A read-only view of this node's log. */
export interface ReadLog {
  /**
   * True for everything the log holds: writes, rejected ones too, and what is none of the machine's. What is cited and
   * not here lies before the beginning of this log.
   */
  readonly has: (id: IntentionId) => boolean
  /** Undefined for what is no applied write of the machine, or is not here. */
  readonly get: (id: IntentionId) => LoggedWrite | undefined
  /**
   * Where the state that is read in this turn stands in the log: at most {@link MAX_CURSOR_BYTES} opaque bytes that mean
   * something to this node's log alone, for as long as it is this log. They are no secret and grant nothing.
   */
  readonly cursor: () => Uint8Array
  /**
   * The writes after a cursor, in the order in which they were applied, read as they are asked for: it ends where the
   * state then stands. Undefined when the cursor is none, is of another log, or lies before where this log begins.
   */
  readonly after: (cursor: Uint8Array) => IterableIterator<PlacedWrite> | undefined
}

/** Longest cursor; anything longer is none. */
export const MAX_CURSOR_BYTES = 64

/** A log that reaches back nowhere, for hosts that keep none. */
export const emptyLog: ReadLog = {
  has: () => false,
  get: () => undefined,
  cursor: () => new Uint8Array(),
  after: () => undefined,
}
