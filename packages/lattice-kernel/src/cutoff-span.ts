/**
 * Positions of a lane that do not count, or count as a writer's.
 *
 * @module
 */
import type { IntentionId } from '@lattice/model'

/** `all`: nothing of it counts. `privileged`: it counts as a writer's. */
export type SpanKind = 'all' | 'privileged'

/** Positions of a lane. */
export interface CutoffSpan {
  readonly first: number
  /** Inclusive; infinite while the lane goes on beyond the cutoff. */
  readonly last: number
  readonly kind: SpanKind
  /** Whose cutoff it is; undefined where all that admitted the author is beyond one. */
  readonly epoch: IntentionId | undefined
  /** What has one of these in its past is beyond the cutoff no more. */
  readonly readmissions: readonly IntentionId[]
}

/** By lane; spans ascend and do not overlap. Lanes without one are left out. */
export type CutoffSpans = ReadonlyMap<number, readonly CutoffSpan[]>
