/**
 * The order in which epochs are told: those that count by their number, the newest first, and after them those without
 * effect, the one that came here last first.
 *
 * The number is what an epoch says of itself. One that counts has that which its past gives it; one without effect may have
 * any, so whoever signs what it likes comes before nothing that counts.
 *
 * @module
 */
import type { IntentionId } from '@lattice/model'
import type { BookEpoch, EpochBook } from './epoch-book.ts'

/** Where an epoch was told. Whether it counts may be another answer by now; where a list goes on after it is not. */
export interface EpochPlace {
  readonly id: IntentionId
  readonly counts: boolean
}

type Counting = Pick<EpochBook, 'view'>

/** All of these, first to last. */
export function inOrder(book: Counting, epochs: readonly BookEpoch[]): readonly BookEpoch[] {
  return rankedIn(book, epochs).map(({ epoch }) => epoch)
}

/** Those of these that come after an epoch where it was told. */
export function inOrderAfter(
  book: Counting,
  epochs: readonly BookEpoch[],
  last: { readonly epoch: BookEpoch; readonly counts: boolean },
): readonly BookEpoch[] {
  return rankedIn(book, epochs).flatMap((each) => (byRank(each, last) > 0 ? [each.epoch] : []))
}

interface Ranked {
  readonly epoch: BookEpoch
  readonly counts: boolean
}

function rankedIn(book: Counting, epochs: readonly BookEpoch[]): readonly Ranked[] {
  return epochs.map((epoch) => ({ epoch, counts: book.view().faultOf(epoch.record.id) === undefined })).toSorted(byRank)
}

function byRank(a: Ranked, b: Ranked): number {
  if (a.counts !== b.counts) return a.counts ? -1 : 1
  const byNumber = a.counts ? Number(b.epoch.record.op.value.seq - a.epoch.record.op.value.seq) : 0
  return byNumber || b.epoch.meta.seq - a.epoch.meta.seq
}
