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
