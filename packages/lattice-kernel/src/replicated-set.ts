/**
 * A set of intentions that two nodes reconcile, in brief and in full.
 *
 * @module
 */
import type { RangeIndex } from '@lattice/sync'
import type { KernelDigest } from './kernel-types.ts'

export interface ReplicatedSet {
  /** Equal on nodes that hold the same over the same base. */
  readonly digest: () => KernelDigest
  /** Follows later commits; stands still within one turn of the event loop. */
  readonly rangeIndex: () => RangeIndex
}
