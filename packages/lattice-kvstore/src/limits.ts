/**
 * Bounds of the key-value store.
 *
 * @module
 */
import { MAX_FRAME_BYTES } from '@lattice/model'
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
