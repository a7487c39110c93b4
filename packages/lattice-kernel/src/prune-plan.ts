/**
 * What a prune would do, were it done now.
 *
 * @module
 */
import type { IntentionId, PublicKey } from '@lattice/model'

/** How much history has to stay: all of the last `keepMs`, and at least `keepCount` intentions. Without either none has to. */
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
  /** No epoch that counts will do; one made now would, and the numbers are about that one. */
  | 'epoch_needed'
  /** Nor would one made now: too little was written after it, or what is below it is too recent. It would do later. */
  | 'history_recent'
  /** Nothing that may go is left. */
  | 'nothing_to_prune'
  /** Peers have not seen the epoch, see `waitsFor`. */
  | 'not_settled'
  /** The epoch is settled, and too few have signed the state at it, or what lies below it has come to count otherwise since. */
  | 'not_final'
  /** Nodes have come to different states. */
  | 'diverged'
  /** This node has writes beside the epoch that not everybody can place: a later epoch will do. */
  | 'beside'
  /** This node keeps no state at the epoch, or a later one, from which state could be made again. */
  | 'no_snapshot'

export interface PrunePlan {
  /** The epoch below which everything would go. Undefined: one has to be made first. */
  readonly epoch: IntentionId | undefined
  readonly goes: PlannedPart
  readonly stays: PlannedPart
  /** About how much smaller `log.db` would be. */
  readonly freedBytes: number
  /** Who has to see the epoch before anything goes; where one has to be made, who has not seen the ones there are. */
  readonly waitsFor: readonly PublicKey[]
  /** Why nothing would go now; undefined when all of it would. */
  readonly hindrance: PruneHindrance | undefined
}
