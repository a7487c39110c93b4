/**
 * Every limit of the protocol, in one place: submit and ingest, codec and transport read the same constants.
 *
 * Changing one changes which intentions are valid, so none may change without a new intention version.
 *
 * @module
 */

/**
 * Largest payload of an intention: one large value, yet a page of many fits a frame.
 * @beyond The intention is invalid: refused here, scored when a peer sends it.
 */
export const MAX_OPS_BYTES: number = 128 * 1024

/**
 * Causes beside `store_prev` of an ordinary intention: a write cites what its author saw last, not all history.
 * @beyond The intention is invalid: refused here, scored when a peer sends it.
 */
export const MAX_CAUSAL_DEPS = 16

/**
 * Causes of an epoch, epoch ack or ack: these join the whole frontier, which has at most a tip or so per peer.
 * @beyond The intention is invalid: refused here, scored when a peer sends it.
 */
export const MAX_KERNEL_CAUSAL_DEPS = 4096

/**
 * Largest encoded `SignedIntention`: both maxima above nearly at once, and four of them in a frame.
 * @beyond The intention is invalid: refused here, scored when a peer sends it.
 */
export const MAX_SIGNED_INTENTION_BYTES: number = 256 * 1024

/** What `SignedIntention` adds to the intention: 2 field tags, lengths of at most 3 and 1 bytes, 64 of signature. */
export const SIGNED_INTENTION_OVERHEAD = 70

/**
 * Largest encoded intention. Counted as if signed, so that validity does not depend on who closed the run.
 * @beyond The intention is invalid: refused here, scored when a peer sends it.
 */
export const MAX_INTENTION_BYTES: number = MAX_SIGNED_INTENTION_BYTES - SIGNED_INTENTION_OVERHEAD

/**
 * Longest store type: it is a name, shown in tables and stored in every parent.
 * @beyond The intention is invalid: refused here, scored when a peer sends it.
 */
export const MAX_STORE_TYPE_BYTES = 128

/** Bytes of randomness in a genesis, enough that two stores never share an id. */
export const GENESIS_NONCE_BYTES = 16

/**
 * Intentions one signature may close: bounds what floats unsigned per author, at under 1 % of the cost of signing each.
 * @beyond The intention is invalid: refused here, scored when a peer sends it.
 */
export const MAX_RUN_LENGTH = 256

/**
 * How far ahead of the local clock a timestamp may be: well above the error of an NTP-less machine set by hand.
 * @beyond It waits until its time has come.
 */
export const MAX_DRIFT_MS = 60_000

/**
 * Largest wall time, in the year 10889: it fits a JS number and six bytes, with room for arithmetic for ever.
 * @beyond The intention is invalid: refused here, scored when a peer sends it.
 */
export const MAX_WALL_MS: number = 2 ** 48 - 1

/**
 * Largest HLC counter, a u32.
 * @beyond The intention is invalid: refused here, scored when a peer sends it.
 */
export const MAX_HLC_COUNTER: number = 2 ** 32 - 1

/**
 * Largest frame on a stream: bounds what one read can make a node allocate.
 * @beyond The frame breaks the protocol: the session ends and the peer is shut out.
 */
export const MAX_FRAME_BYTES: number = 1024 * 1024

/**
 * Longest key of a table: longer ones belong in the value, and keys are held in memory by indexes.
 * @beyond The write is refused.
 */
export const MAX_KEY_BYTES = 4096

/** Largest output of `blake3Xof`: one LtHash vector of 1,024 16-bit lanes. */
export const MAX_XOF_BYTES = 2048
