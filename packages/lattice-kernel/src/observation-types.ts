/**
 * Where authors' chains end, and what each has seen of the others.
 *
 * @module
 */
import type { Hlc, IntentionId, PublicKey } from '@lattice/model'

export interface AuthorTip {
  readonly id: IntentionId
  readonly position: number
  readonly timestamp: Hlc
  /** Another tip of the author has it in its past: the fork is joined. */
  readonly joined: boolean
}

/** Where an author's chain ends; several tips mean it forked. */
export interface AuthorTips {
  readonly author: PublicKey
  readonly tips: readonly AuthorTip[]
}

/** How far an author is behind, as far as its intentions that are here tell. */
export interface AuthorLag {
  /** Intentions here that are not in the past of its tips; acks, which nobody answers, left out. */
  readonly unseen: number
  /** When the first of them was witnessed here. */
  readonly unseenSinceMs: number | undefined
}

/** How much an author has seen of another's intentions. */
export interface SeenOf {
  readonly author: PublicKey
  readonly count: number
  /** The highest position among them, and where that is in this node's log. */
  readonly position: number
  readonly seq: number
}

export interface AuthorObservation extends AuthorLag {
  readonly author: PublicKey
  /** By author; those of whom it has seen nothing are left out. */
  readonly seen: readonly SeenOf[]
}

/** What every member has seen. */
export interface StabilityFrontier {
  readonly count: number
  /** The latest of it: all of it is in their past, or they are it themselves. */
  readonly ids: readonly IntentionId[]
}

export interface Observations {
  /** In the order of their first intentions. */
  readonly authors: readonly AuthorObservation[]
  /** Authors left out, who wrote before all others. */
  readonly omitted: number
  readonly stability: StabilityFrontier
}
