/**
 * A set of intentions that two nodes reconcile, in brief and in full.
 *
 * @module
 */
import type { Hash, IntentionId } from '@lattice/model'
import type { RangeIndex } from '@lattice/sync'

/** The same shape as the network's port: equal on replicas that hold the same set. */
export interface KernelDigest {
  readonly witnessCount: number
  readonly fingerprint: Uint8Array
  readonly epochHeads: readonly IntentionId[]
  readonly settledSeq: number
  readonly tipsDigest: Hash
}

export interface ReplicatedSet {
  /** Equal on nodes that hold the same over the same base. */
  readonly digest: () => KernelDigest
  /** Follows later commits; stands still within one turn of the event loop. */
  readonly rangeIndex: () => RangeIndex
}
