/**
 * What a store tells of history that was cut, and what somebody who makes it anew needs.
 *
 * A pruned log has a *base*: an epoch below which it keeps nothing but the genesis and the records of membership. Sets are
 * compared only over one base. Who does not have it takes the *foundation* (what such a log begins with) and the state at
 * the base, both in pages, and everything else as usual.
 *
 * @module
 */
import type { Cancel, Hash, IntentionId } from '@lattice/model'
import type { RangeIndex } from '@lattice/sync'
import type { ReplicaDigest } from './replica-digest.ts'

/** The epoch below which a log keeps nothing. */
export interface ReplicaBase {
  readonly epoch: IntentionId
  /** The number that the epoch gives itself: one that is later in time has a larger one. */
  readonly seq: bigint
  /** Intentions that are gone. */
  readonly goneCount: number
}

/** The witnessed set over a base. */
export interface SetOverBase {
  readonly digest: () => ReplicaDigest
  readonly rangeIndex: () => RangeIndex
}

/** Where a row of a state stands: by table, system rows first, then by key. */
export interface RowPlace {
  readonly table: 'system' | 'app'
  readonly key: Uint8Array
}

export interface SnapshotRow extends RowPlace {
  readonly value: Uint8Array
}

/** Rows of the state at an epoch. The same for everybody who has that state. */
export interface SnapshotRead {
  readonly epoch: IntentionId
  readonly root: Hash
  /** Ascending; at least one, where there is one. */
  readonly rows: readonly SnapshotRow[]
  /** There are no more. */
  readonly isLast: boolean
}

export interface FoundationRead {
  /** Encoded, from the one asked for on; at least one, where there is one. */
  readonly items: readonly Uint8Array[]
  /** Of the whole foundation. */
  readonly total: number
}

/** What is served to who makes the store anew. */
export interface ServedSnapshot {
  readonly epoch: IntentionId
  readonly root: Hash
  /** For progress only. */
  readonly rows: number
}

export interface PrunedReplica {
  /** Undefined while the log has its whole history. */
  readonly base: () => ReplicaBase | undefined
  /**
   * The set over another base that is here: a later epoch than the own base that counts. Undefined for any other, and for
   * one that is not here, or that does for nobody but who began with the foundation that is given here (`isFounded`).
   */
  readonly over: (base: IntentionId, isFounded?: boolean) => SetOverBase | undefined
  /** Items of the foundation from the one numbered `after` on. Undefined where the base is another, or none. */
  readonly readFoundation: (base: IntentionId, after: number, maxBytes: number) => FoundationRead | undefined
  /** Which state is served; undefined where there is none. */
  readonly snapshot: () => ServedSnapshot | undefined
  /** Rows of the state at that epoch, above a place. Undefined where it is not, or no longer, served. */
  readonly readSnapshot: (epoch: IntentionId, after: RowPlace | undefined, maxBytes: number) => SnapshotRead | undefined
  /** Called after the base became another. */
  readonly onPruned: (listener: () => void) => Cancel
}
