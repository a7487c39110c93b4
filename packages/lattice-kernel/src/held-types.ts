/**
 * Intentions as a kernel shows what it holds: witnessed, floating, excluded.
 *
 * @module
 */
import type { FloatReason, Hash, Hlc, IntentionId, ParsedIntention, PublicKey, WitnessRecord } from '@lattice/model'

/** An intention that is held here, with its place in the DAG and in this node's log. */
export interface StoredIntention {
  readonly parsed: ParsedIntention
  /** Undefined while it floats, as are the following. */
  readonly seq: number | undefined
  /** Number of its author's intentions before it on its chain, the genesis included. */
  readonly position: number | undefined
  /** Length of the longest path from the genesis. */
  readonly generation: number | undefined
  /** When this node witnessed it. */
  readonly witnessedMs: number | undefined
  /** Why it waits; undefined once it is witnessed. */
  readonly floating: FloatReason | undefined
}

/** A record of this node's log with the intention it witnesses. */
export interface WitnessEntry {
  readonly seq: number
  readonly wallTime: number
  readonly chainHash: Hash
  readonly record: WitnessRecord
  readonly parsed: ParsedIntention
}

export interface FloatingIntention {
  readonly parsed: ParsedIntention
  readonly reason: FloatReason
  readonly missing: readonly IntentionId[]
}

/** A witnessed intention that counts for nothing: it was written beyond a cutoff. */
export interface ExcludedIntention {
  readonly id: IntentionId
  readonly author: PublicKey
  readonly timestamp: Hlc
  /** The epoch that made the cutoff; undefined where all that admitted the author is beyond one. */
  readonly epoch: IntentionId | undefined
  /** Something that counts has it in its past: it is held and handed on, and changes nothing. */
  readonly isLink: boolean
}
