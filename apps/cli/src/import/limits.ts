/**
 * Bounds of an import.
 *
 * @module
 */

/** Operations of one request: many enough to share a signature and a commit, few enough to see progress. */
export const MAX_BATCH_OPERATIONS = 256

/** Key and value bytes of one request: half of what one intention carries. */
export const MAX_BATCH_BYTES: number = 64 * 1024

/** Batches that are sent together: enough for one commit to be worth its fsync. */
export const MAX_PART_BATCHES = 8

/** Longest line: above every key and value an intention can carry, also when each byte is escaped as JSON or hex. */
export const MAX_LINE_BYTES: number = 1024 * 1024
