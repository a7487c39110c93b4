/**
 * Counts what is asked of an index, in work: what an answer costs follows from it, whatever machine it runs on.
 *
 * @module
 */
import type { RangeIndex } from './range-index.ts'

/** Items of a page that cost as much as one question: a question may read a node of the index, a page of them one too. */
export const ITEMS_PER_WORK = 32

export interface CountedIndex {
  readonly index: RangeIndex
  /** One for each rank, item and sum, and for each {@link ITEMS_PER_WORK} items of a page; never decreases. */
  readonly work: () => number
}

/** The same index, counted. */
export function countWork(index: RangeIndex): CountedIndex {
  let work = 0
  return {
    work: () => work,
    index: {
      size: index.size,
      lowerBound: (bound) => {
        work += 1
        return index.lowerBound(bound)
      },
      at: (rank) => {
        work += 1
        return index.at(rank)
      },
      accumulate: (begin, end) => {
        work += 1
        return index.accumulate(begin, end)
      },
      items: (begin, end) => {
        work += 1 + (end - begin) / ITEMS_PER_WORK
        return index.items(begin, end)
      },
    },
  }
}
