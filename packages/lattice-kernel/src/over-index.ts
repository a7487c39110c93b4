/**
 * The set that is reconciled over an epoch, as a range index: what lies below the epoch is left out, but for the spine.
 *
 * Whatever lies below an epoch is older than it by its timestamp. So all that is later than the epoch belongs to the set, and
 * is read from the index of everything that counts, where it is the end. Of what is not later there is little that does not
 * lie below: the spine, and what was written at the same time by those who had not seen the epoch. That is held in memory.
 * So making the set costs what was written beside the epoch, never what came after it.
 *
 * @module
 */
import { addAccumulators, type Item, type RangeIndex } from '@lattice/sync'

export interface OverParts {
  /** Items up to the wall time of the epoch. */
  readonly early: RangeIndex
  /** Everything that counts. */
  readonly all: RangeIndex
  /** The wall time of the epoch. */
  readonly wall: number
}

/** `early`, and what of `all` is later than `wall`. Follows both. */
export function createOverIndex({ early, all, wall }: OverParts): RangeIndex {
  const later = { timestamp: wall + 1, prefix: new Uint8Array(0) }
  /** By how much a rank in `all` is higher than here. */
  const offset = (): number => all.lowerBound(later) - early.size()

  function* items(begin: number, end: number): IterableIterator<Item> {
    const split = early.size()
    const by = offset()
    if (begin < split) yield* early.items(begin, Math.min(end, split))
    if (end > split) yield* all.items(Math.max(begin, split) + by, end + by)
  }

  return {
    size: () => all.size() - offset(),
    lowerBound: (bound) => (bound.timestamp <= wall ? early.lowerBound(bound) : all.lowerBound(bound) - offset()),
    at: (rank) => (rank < early.size() ? early.at(rank) : all.at(rank + offset())),
    accumulate: (begin, end) => {
      const split = early.size()
      const by = offset()
      const low = early.accumulate(Math.min(begin, split), Math.min(end, split))
      return end <= split ? low : addAccumulators(low, all.accumulate(Math.max(begin, split) + by, end + by))
    },
    items,
  }
}
