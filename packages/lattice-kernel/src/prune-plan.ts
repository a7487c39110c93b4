/**
 * What a prune would do, were it done now.
 *
 * @module
 */
import type { IntentionId, PublicKey } from '@lattice/model'

/** How much history has to stay: all of the last `keepMs`, and at least `keepCount` intentions. Without either nothing has to. */
export interface PrunePlanOptions {
  readonly keepCount?: number
  readonly keepMs?: number
  readonly nowMs: number
}

/** A number of intentions, and about how many bytes they take on the disk. */
export interface PlannedPart {
  readonly intentions: number
  readonly bytes: number
}

export type PruneHindrance =
  /** No epoch that counts is old enough: one has to be made, which everything up to now would be below. */
  | 'epoch_needed'
  /** Nothing that may go is below any epoch, nor would be below a new one. */
  | 'nothing_to_prune'
  /** Peers have not seen the epoch, see `waitsFor`. */
  | 'not_settled'
  /** The epoch is settled, and too few have signed the state at it, or what lies below it has come to count otherwise since. */
  | 'not_final'
  /** Nodes have come to different states. */
  | 'diverged'
  /** This node keeps no state at an epoch from which state could be made again. */
  | 'no_snapshot'

export interface PrunePlan {
  /** The epoch below which everything would go. Undefined: one has to be made first, and the numbers are about that one. */
  readonly epoch: IntentionId | undefined
  readonly goes: PlannedPart
  readonly stays: PlannedPart
  /** About how much smaller `log.db` would be. */
  readonly freedBytes: number
  /** Who has to see the epoch before anything goes. */
  readonly waitsFor: readonly PublicKey[]
  /** Why nothing would go now; undefined when all of it would. */
  readonly hindrance: PruneHindrance | undefined
}
