/**
 * Bounds of the log store.
 *
 * @module
 */
import { MAX_FRAME_BYTES } from '@lattice/model'

/** Most entries of one append, so that no intention of 128 KiB makes more than 4 MiB of rows. */
export const MAX_BATCH_ENTRIES = 4096

/** Entries of a page when a read does not say. */
export const DEFAULT_READ_LIMIT = 100

/** Most entries of a page: a reply stays a reply. */
export const MAX_READ_LIMIT = 10_000

/** Most of the newest entries that are asked for at once. */
export const MAX_TAIL = 10_000

/** A page ends early once its contents reach this: it then fits a frame, or holds a single entry. */
export const MAX_PAGE_BYTES: number = MAX_FRAME_BYTES / 2

/** What an entry adds to a page beside its content, rounded up. */
export const ENTRY_OVERHEAD_BYTES = 96

/** Rows and bytes that a page looks through for the entries of one author, before it ends and the next goes on. */
export const MAX_SCAN_ROWS = 20_000
export const MAX_SCAN_BYTES: number = 16 * 1024 * 1024

/** Rows and bytes that are looked through for the newest entries, which cannot be had in parts. */
export const MAX_TAIL_ROWS = 100_000
export const MAX_TAIL_BYTES: number = 16 * 1024 * 1024

/** Writes of a catch-up that are read before other work gets a turn. */
export const CATCH_UP_TURN_WRITES = 512
