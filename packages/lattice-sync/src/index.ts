export {
  accumulate,
  type Accumulator,
  addAccumulators,
  addInto,
  digestOf,
  EMPTY_ACCUMULATOR,
  type Fingerprint,
  FINGERPRINT_BYTES,
  fingerprintOf,
  subtractAccumulators,
  subtractFrom,
  SUM_BYTES,
} from './accumulator.ts'
export {
  type Bound,
  boundAt,
  boundBetween,
  compareBounds,
  compareItems,
  FIRST_BOUND,
  type Id,
  INFINITY_BOUND,
  isBelow,
  type Item,
  MAX_TIMESTAMP,
} from './item.ts'
export {
  MAX_IDS_PER_MESSAGE,
  MAX_MESSAGE_BYTES,
  MAX_ROUNDS,
  MIN_FRAME_BYTES,
  roundLimit,
  type RoundLimitOptions,
} from './limits.ts'
export { type AskedRanges, countAsked } from './count-asked.ts'
export { createMemoryRangeIndex, type MemoryRangeIndex } from './memory-range-index.ts'
export { HEAD_NODE, type NodeProblem, type NodeStore, RangeIndexDamaged } from './node-store.ts'
export {
  CACHED_NODES,
  openRangeIndex,
  type PersistentRangeIndex,
  type RangeIndexOptions,
  type RangeIndexStats,
} from './persistent-range-index.ts'
export type { RangeIndex } from './range-index.ts'
export type { ReconcileError } from './reconcile-error.ts'
export type { Role } from './reconcile-pass.ts'
export {
  createReconciler,
  type ReconcileAnswer,
  type ReconcilePart,
  type Reconciler,
  type ReconcilerOptions,
  type ReconcileStep,
} from './reconciler.ts'
export type { VerifiedNode } from './verify-tree.ts'
