/**
 * What is known, and learned, of a removal whose past is gone.
 *
 * @module
 */
import type { IntentionId, PublicKey } from '@lattice/model'

/** This node was removed by an epoch that is not here. */
export interface ShownRemoval {
  readonly peer: PublicKey
  readonly epoch: IntentionId
  readonly author: PublicKey
  /** The last position of this node's chain that still counts; -1 where nothing of it does. */
  readonly last: number
}

/** Why what a peer showed is not taken. `code` is a short name in lower case. */
export interface ProofRefused {
  readonly code: string
}

export interface RemovalProof {
  /** The next items, as they travel. Nothing is left after a refusal. Rejects with `DiskFull` or `StorageFailed`. */
  readonly add: (items: readonly Uint8Array[]) => Promise<ProofRefused | undefined>
  /** There are no more: true once this node knows that it was removed, false where it knows better than who showed it. */
  readonly end: () => Promise<ProofRefused | boolean>
  /** Drops what did not come to an end. Idempotent. */
  readonly close: () => void
}
