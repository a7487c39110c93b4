/**
 * The port to where the items are: an order-statistics index with additive sums.
 *
 * Reconciliation reads a set through ranks only, so no side ever holds a list of all ids. Every call is one descent of
 * a tree; a page of `items` is a descent and a scan. The index may change between two messages of a session (items
 * that appear are found by this session or the next), never within one call of the reconciler.
 *
 * @module
 */
import type { Accumulator } from './accumulator.ts'
import type { Bound, Item } from './item.ts'

/** Items in the order of `compareItems`, without duplicates. Ranks run from 0 to `size()`. */
export interface RangeIndex {
  readonly size: () => number
  /** How many items lie below `bound`: the rank of the first one that does not. O(log n). */
  readonly lowerBound: (bound: Bound) => number
  /** The item at a rank below `size()`. O(log n). */
  readonly at: (rank: number) => Item
  /** Sum and count of the items from rank `begin` up to `end`, exclusive. O(log n), never a scan of the range. */
  readonly accumulate: (begin: number, end: number) => Accumulator
  /** The items from rank `begin` up to `end`, exclusive, in order. Not used past a change of the index. */
  readonly items: (begin: number, end: number) => IterableIterator<Item>
}
