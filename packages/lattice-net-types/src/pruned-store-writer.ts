/**
 * Port of whoever makes a pruned store anew from what peers send.
 *
 * Everything is checked behind it: what a foundation has to prove, and that the rows are those whose root a quorum signed.
 * What it took in is on the disk, so that it goes on where it ended after a restart, and nothing of it is a store before
 * `finish`. A refusal is about what was given; a rejection is a failure of this node.
 *
 * @module
 */
import type { Hash, IntentionId, PublicKey } from '@lattice/model'
import type { RowPlace, SnapshotRow } from './pruned-replica.ts'

/** Why what a peer sent is not taken. `code` is a short name in lower case. */
export interface WriterRefused {
  readonly code: string
  /** For want of something else of this node: nobody is to blame, and later the same may be taken. */
  readonly isPending?: boolean
}

/** What is taken in of a foundation that was begun. */
export interface WriterPosition {
  readonly base: IntentionId
  /** Whose numbering it is. */
  readonly peer: PublicKey
  /** Items that are taken in. */
  readonly items: number
  /** Once the foundation is whole: the state that it vouches for, and the last row of it that is here. */
  readonly snapshot: WriterSnapshot | undefined
  readonly after: RowPlace | undefined
}

/** The state that a complete foundation vouches for. */
export interface WriterSnapshot {
  readonly epoch: IntentionId
  readonly root: Hash
}

export interface PrunedStoreWriter {
  /** Undefined when nothing is begun. */
  readonly position: () => WriterPosition | undefined
  /** Begins with a foundation; what was there is gone. */
  readonly begin: (base: IntentionId, peer: PublicKey) => Promise<void>
  /** The next items, all or none. Nothing of the foundation is left after a refusal. */
  readonly addItems: (items: readonly Uint8Array[]) => Promise<WriterRefused | undefined>
  /** There are no more items. Nothing of the foundation is left after a refusal. */
  readonly endItems: () => Promise<WriterSnapshot | WriterRefused>
  /** The next rows, in order, all or none. */
  readonly addRows: (rows: readonly SnapshotRow[]) => Promise<WriterRefused | undefined>
  /** Drops everything: nothing is begun then. */
  readonly drop: () => Promise<void>
  /** Drops the rows, and keeps the foundation. */
  readonly dropRows: () => Promise<void>
  /** There are no more rows: the store is whole, or the rows are not those of the root; they are kept then. */
  readonly finish: () => Promise<WriterRefused | undefined>
}
