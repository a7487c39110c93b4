/**
 * What one transaction of a state database changes.
 *
 * @module
 */
import type { Hash, IntentionId } from '@lattice/model'
import type { ReadRowChanges } from './row-changes.ts'

/** How far the projection reaches: the last applied record of the log and its chain hash; 0 and zero before any. */
export interface StateCursor {
  readonly seq: number
  readonly chainHash: Hash
  /** What its owner knew of these records when it applied them: with another, state would be another. Absent: nothing. */
  readonly madeWith?: Uint8Array
}

/** An operation that changed nothing, and why. */
export interface Rejection {
  readonly seq: number
  readonly id: IntentionId
  readonly reason: string
}

/** What one transaction changes. The rows stay as they are until it has ended. */
export interface StateChange {
  readonly cursor: StateCursor
  readonly system: ReadRowChanges
  readonly app: ReadRowChanges
  readonly rejections: readonly Rejection[]
}

/**
 * A transaction that is written in slices over many turns. Whoever reads meanwhile sees parts of it, so the rows of its
 * change have to shadow the tables.
 */
export interface StateWrite {
  /**
   * Writes rows, as long as `hasTime` says so and at least a few, or commits; answers true once it is committed. When it
   * throws, nothing of the change is there.
   */
  readonly step: (hasTime: () => boolean) => boolean
  /** Ends it with nothing written. Does nothing once it has ended. */
  readonly abandon: () => void
}
