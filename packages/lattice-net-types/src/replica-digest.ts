/**
 * What a replica adds up to.
 *
 * @module
 */
import type { Hash, IntentionId } from '@lattice/model'

/** What two replicas compare to see whether they hold the same witnessed set. */
export interface ReplicaDigest {
  readonly witnessCount: number
  /** Sum of all witnessed ids mod 2^256, little-endian, 32 bytes. */
  readonly fingerprint: Uint8Array
  /** Sorted. */
  readonly epochHeads: readonly IntentionId[]
  readonly settledSeq: number
  /** BLAKE3 over the sorted tips. */
  readonly tipsDigest: Hash
}
