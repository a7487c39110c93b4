/**
 * Bounds of the key-value store.
 *
 * @module
 */
import { HASH_BYTES, MAX_CAUSAL_DEPS, MAX_FRAME_BYTES } from '@lattice/model'
import { MAX_FOLDED_DEPS } from '@lattice/store-base'

/** Most keys of one batch: each one's winner can then be cited, by a single ack. */
export const MAX_BATCH_KEYS: number = MAX_FOLDED_DEPS

/** Keys of a page when a list does not say. */
export const DEFAULT_LIST_LIMIT = 100

/** Most keys of a page: a reply stays a reply. */
export const MAX_LIST_LIMIT = 10_000

/** A page ends early once its keys and values reach this: it then fits a frame, or holds a single entry. */
export const MAX_PAGE_BYTES: number = MAX_FRAME_BYTES / 2

/** Most key and value bytes of a watch's snapshot, which is read at one moment and so held in memory. */
export const MAX_SNAPSHOT_BYTES: number = 16 * 1024 * 1024

/** Most writes of a page of a history. */
export const MAX_HISTORY_LIMIT = 1000

/** Most writes that a history follows side by side: they are named in its page token, which then fits a request. */
export const MAX_OPEN_WRITES: number = MAX_FRAME_BYTES / 4 / HASH_BYTES

/** Look-ups in the log for a page of a history: those of one write that cites as much as it can, for which they are needed at once. */
export const MAX_HISTORY_LOOKUPS: number = MAX_FOLDED_DEPS + 2 * MAX_CAUSAL_DEPS

/** Most bytes that a page of a history reads from the log: a write that cites 4,096 others of 16 KiB is followed. */
export const MAX_HISTORY_READ_BYTES: number = 64 * 1024 * 1024

/** Most writes that a watch catches up with; one that was away for more is told so, and reads again. */
export const MAX_CATCH_UP_WRITES = 65_536

/** Writes of a catch-up that are read before other work gets a turn. */
export const CATCH_UP_TURN_WRITES = 512
