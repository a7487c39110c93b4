/**
 * What is told of a store's snapshots.
 *
 * @module
 */
import type { Hash, IntentionId } from '@lattice/model'
import type { RowCounts, RowPage, RowPosition } from '@lattice/storage'
import type { StateDivergence } from './state-divergence.ts'

/** The state at an epoch. */
export interface SnapshotInfo {
  readonly epoch: IntentionId
  /** The number that the epoch gives itself. */
  readonly seq: bigint
  readonly root: Hash
  readonly rows: RowCounts
  /** Of its file. */
  readonly bytes: number
}

export interface SnapshotProgress {
  readonly epoch: IntentionId
  /** The epoch whose snapshot it was begun with; undefined where it is made of the whole history. */
  readonly from: IntentionId | undefined
  /** Records that are in it, and that will be. */
  readonly done: number
  readonly total: number
}

export interface SnapshotStatus {
  /** `off`: this node keeps none. `diverged`: others have another state at an epoch; see `divergences`. */
  readonly state: 'off' | 'none' | 'making' | 'ready' | 'diverged'
  /** At the newest settled epoch that there is one of. */
  readonly settled: SnapshotInfo | undefined
  /** At a later epoch, which is not settled. */
  readonly candidate: SnapshotInfo | undefined
  /** At the epoch that a pruned log begins with, where there is one: the settled one, or beside that. */
  readonly base: SnapshotInfo | undefined
  readonly making: SnapshotProgress | undefined
  /** Why the last attempt to make one failed; it is tried again. */
  readonly failure: unknown
  readonly divergences: readonly StateDivergence[]
}

export interface ReadSnapshotOptions {
  /** Whose rows: those of this epoch, or whichever there is. */
  readonly epoch?: IntentionId
  readonly after?: RowPosition
  readonly maxBytes: number
}

export interface SnapshotPage extends RowPage {
  readonly epoch: IntentionId
  readonly root: Hash
}

export type SnapshotEvent =
  /** A snapshot is being made. */
  | ({ readonly kind: 'snapshot_progress' } & SnapshotProgress)
  /** The state at an epoch is here. */
  | { readonly kind: 'snapshot_made'; readonly epoch: IntentionId; readonly root: Hash }
  /** It is the one that is kept and served: its epoch is settled. */
  | { readonly kind: 'snapshot_settled'; readonly epoch: IntentionId; readonly root: Hash }
  /** Nodes have come to different states at an epoch. Nothing is pruned while that stands. */
  | ({ readonly kind: 'state_divergence' } & Pick<StateDivergence, 'epoch' | 'ownRoot' | 'others'>)

export interface SnapshotReads {
  /** The state that is kept at epochs, and whether other nodes have the same. */
  readonly snapshot: () => SnapshotStatus
  /**
   * Sees that there is a snapshot at the newest settled epoch, and tells of it. Writes nothing to the log. Rejects with
   * `SnapshotUnavailable`, `KernelClosed`, or what keeps it from being made.
   */
  readonly makeSnapshot: () => Promise<SnapshotInfo>
  /**
   * Rows of the snapshot at the newest settled epoch there is one of, or of the one at the base where `epoch` names that, in
   * order, from after a position on. Throws `SnapshotGone` where `epoch` is named and is another's: pages that name one are
   * all of the same state.
   */
  readonly readSnapshot: (options: ReadSnapshotOptions) => SnapshotPage
}
