/**
 * Bounds of what the system table holds.
 *
 * @module
 */

/** Longest name of a store, a child or a peer, in UTF-8: fits a line of a terminal and a path segment. */
export const MAX_NAME_BYTES = 128

/** Longest description of a peer's device, in UTF-8. */
export const MAX_DEVICE_BYTES = 128

/** Longest app id, in UTF-8: as long as a store type. */
export const MAX_APP_ID_BYTES = 128

/** Most peers one token admits: a token for everybody is a public key, not an invite. */
export const MAX_INVITE_USES = 10_000

/** Most copies a replication policy asks for: more than any mesh of people has machines. */
export const MAX_REPLICATION_FACTOR = 255

/** Most days of history a prune policy keeps: a century, which is to keep all. */
export const MAX_KEEP_DAYS = 36_525

/** Largest placement map: a few hundred weighted nodes. */
export const MAX_CRUSH_BYTES = 4096
