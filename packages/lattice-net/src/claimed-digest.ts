/**
 * The short form of a replica, as it is told to others.
 *
 * @module
 */

/** What a peer says its store adds up to. */
export interface ClaimedDigest {
  readonly witnessCount: number
  readonly fingerprint: Uint8Array
}
