/**
 * What is told of pruning.
 *
 * @module
 */
import type { IntentionId } from '@lattice/model'

/** Where a pruned log begins. */
export interface LogBase {
  /** Nothing below this epoch is kept, but the genesis and what decides about membership. */
  readonly epoch: IntentionId
  /** The number that the epoch gives itself. */
  readonly seq: bigint
  /** The epoch's record: from it on no record is missing. */
  readonly fromSeq: number
  /** Intentions that are gone. */
  readonly goneCount: number
}

/**
 * What a prune that was made waits for. `settlement`: peers that have not seen it. `finality`: peers that have not signed
 * the state at it, or an epoch that joins it. `agreement`: peers that signed different states. `snapshot`: state at the base
 * on this node; a node that keeps none never prunes. `state`: state in use that has not come as far. `beside`: this node has
 * writes that were made without knowing of the epoch, and that those who pruned at it cannot place; a later epoch will do.
 */
export type PruneWait = 'settlement' | 'finality' | 'agreement' | 'snapshot' | 'state' | 'beside'

export interface PruneStatus {
  /** `failed`: the disk or the machine refused; it is tried again by itself. */
  readonly state: 'idle' | 'waiting' | 'pruning' | 'failed'
  /** What the log is to begin with. */
  readonly epoch?: IntentionId
  readonly waitsFor?: PruneWait
  /** Steps of the deletion; not there before it is decided. */
  readonly done?: number
  readonly total?: number
  readonly failure?: unknown
}

export type PruneEvent =
  | { readonly kind: 'prune_progress'; readonly done: number; readonly total: number }
  /** The log begins with the epoch, and what it took is deleted. */
  | {
      readonly kind: 'pruned'
      readonly epoch: IntentionId
      /** How many are gone that were here before. */
      readonly intentions: number
      /** Of the log's file, right before the prune was decided and now. */
      readonly bytesBefore: number
      readonly bytesAfter: number
    }

export interface PruneReads {
  /** Undefined for a log that was never pruned. */
  readonly base: () => LogBase | undefined
  /** It prunes by itself, once an epoch that says so is final and nothing is in the way. */
  readonly pruning: () => PruneStatus
}
