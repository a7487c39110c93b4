/**
 * What the questions about the DAG are asked of: places in the log, their vectors, and what each record cites.
 *
 * @module
 */
import { WalkTooLong } from './errors.ts'
import type { ReachIndex } from './reach-index.ts'
import type { Place } from './reach-vector.ts'

/** Which edges count: `causal_deps` and `store_prev`, or `causal_deps` alone. */
export type DagEdges = 'all' | 'causal'

export interface DagGraph {
  readonly index: Pick<ReachIndex, 'isAncestor' | 'reach' | 'vectorOf' | 'seqAt'>
  /** The position of the first intention of a lane. */
  readonly firstPosition: (lane: number) => number
  /** The causal deps of the record at a seq. */
  readonly depsAt: (seq: number) => readonly Place[]
}

/** The answer to one question, over one kind of edges. An intention is in its own past and future. */
export interface DagWalks {
  readonly isAncestor: (ancestor: Place, descendant: Place) => boolean
  /** The maximal ones among what is in the past of every head. */
  readonly findLca: (heads: readonly Place[]) => readonly Place[]
  /** Seqs after `afterSeq` of what is in the past of any head. Ascending; to be read while nothing is appended. */
  readonly downset: (heads: readonly Place[], afterSeq: number) => IterableIterator<number>
  /** Seqs of what is in the past of `head` and in the future of any of `from`. Ascending. */
  readonly between: (from: readonly Place[], head: Place) => readonly number[]
}

/** Counts what one question looks at. */
export interface WalkBudget {
  /** Throws `WalkTooLong` when it is more than the budget in all. */
  readonly spend: (count: number) => void
}

export function createWalkBudget(limit: number): WalkBudget {
  let left = limit
  return {
    spend: (count) => {
      left -= count
      if (left < 0) throw new WalkTooLong(limit)
    },
  }
}
