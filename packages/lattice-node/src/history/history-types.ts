/**
 * How much of a store's history is kept, as those who use a node see it.
 *
 * @module
 */
import type { EpochStatus, PrunePlan, PruneWait, StrandedWrite } from '@lattice/kernel'
import type { AbortSignal, IntentionId, PublicKey } from '@lattice/model'
import type { PrunePolicy } from '@lattice/systemstore'
import type { StoreFailure } from '../failure-types.ts'

/** What has to stay: at least so many intentions, or what was written in the last so many days. Neither: nothing. */
export interface PruneKeep {
  readonly keepCount?: number
  readonly keepDays?: number
}

export interface PruneResult {
  /**
   * `begun`: the epoch is made by which every node deletes. `marked`: one is made that a later prune can keep history from,
   * as none is old enough. `nothing`: there is nothing to delete, and nothing was done.
   */
  readonly outcome: 'begun' | 'marked' | 'nothing'
  /** As it was before. */
  readonly plan: PrunePlan
  /** The epoch that was made, or had been made for the same and waits. */
  readonly epoch: EpochStatus | undefined
}

/** Where the history that is here begins. */
export interface PrunedBase {
  readonly epoch: IntentionId
  readonly seq: bigint
  /** When the epoch was made, in milliseconds since the Unix epoch. */
  readonly wallMs: number
  /** Intentions that are gone. */
  readonly goneCount: number
}

export interface StorePruning {
  readonly state: 'idle' | 'waiting' | 'pruning' | 'failed'
  /** By which history is to be deleted; undefined when idle. */
  readonly epoch: IntentionId | undefined
  readonly done: number
  readonly total: number
  readonly failure: StoreFailure | undefined
  /** What it waits for; undefined unless it waits. */
  readonly waitsOn: PruneWait | undefined
  /** Who has to acknowledge the epoch before. */
  readonly waitsFor: readonly PublicKey[]
  /** Undefined where all of the history is here. */
  readonly base: PrunedBase | undefined
  /** That of the store whose peers count here. */
  readonly policy: PrunePolicy
}

/** The pruning of a store, by whoever follows an epoch of it. */
export interface FollowedPruning extends StorePruning {
  /** The epoch, while it has no effect and what it is to delete is here; the last says that it stays so. */
  readonly ineffective: EpochStatus | undefined
}

/** What is done about a store's history. */
export interface HistoryActs {
  /** What a prune would do now. Throws `INVALID_ARGUMENT` for what cannot be kept. */
  readonly planPrune: (keep?: PruneKeep) => PrunePlan
  /**
   * Has every node delete history by an epoch, which is durable here when it resolves. Each deletes once all that write have
   * acknowledged it and signed the same state. Rejects with `NOT_ADMIN`, `WRONG_STATE` or `INVALID_ARGUMENT`.
   */
  readonly prune: (keep?: PruneKeep) => Promise<PruneResult>
  readonly pruning: () => StorePruning
  /**
   * The same now and whenever it changed, up to when what an epoch is to delete is gone, or the epoch has no effect and
   * none by waiting. Throws `INTENTION_NOT_FOUND`, or `WRONG_STATE` for an epoch that is not for pruning.
   */
  readonly followPruning: (epoch: IntentionId, signal: AbortSignal) => AsyncIterable<FollowedPruning>
  /** Rejects with `NOT_ADMIN`, `INVALID_ARGUMENT`, or `NOT_SUPPORTED` where the policy is that of the store above. */
  readonly setPrunePolicy: (policy: PrunePolicy) => Promise<PrunePolicy>
}

/** An own write whose causes are gone. */
export interface ListedStranded extends StrandedWrite {
  /** What a person has to do about it, where it is not written anew as it was; undefined where `resubmitStranded` does. */
  readonly remedy: string | undefined
}

export interface SettledWrite {
  /** The id that it had. */
  readonly lost: IntentionId
  /** That it has now; undefined where nothing was left of it to do. */
  readonly id: IntentionId | undefined
}

export interface KeptWrite {
  readonly id: IntentionId
  /** Why it was not written, or what a person has to do about it. */
  readonly reason: string
}

export interface ResubmitResult {
  /** Done, and listed no more; in their order. */
  readonly settled: readonly SettledWrite[]
  /** Those that stay as they are of a kind that is not repeated, or were refused by themselves. */
  readonly kept: readonly KeptWrite[]
  /** What ended it before the rest was looked at, which stays; undefined where it went through. */
  readonly failure: StoreFailure | undefined
}

/**
 * What is done about own writes whose causes are gone; see `fetch-pruned.ts`. They are named by their ids, or 4 or more hex
 * digits that no other begins with; all are meant where none is named. A name that fits none, or several, is refused with
 * `INTENTION_NOT_FOUND` or `INVALID_ARGUMENT`, and nothing is done.
 */
export interface StrandedActs {
  /** Oldest first. */
  readonly stranded: () => readonly ListedStranded[]
  /**
   * Submits them anew, on top of all that is here now, in their order, and goes on after one that is refused. What is answered
   * as settled is so, whatever ended it; after a crash one of those that were under way may be written and listed still.
   */
  readonly resubmitStranded: (named?: readonly string[]) => Promise<ResubmitResult>
  /** Lets them go; answers how many. Rejects with `DISK_FULL` or `STORAGE_FAILED`, and they stay then. */
  readonly dropStranded: (named?: readonly string[]) => Promise<number>
}
