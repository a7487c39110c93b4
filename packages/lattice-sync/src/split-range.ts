/**
 * Answers a range whose fingerprints differ: all its ids when they are few, else sixteen smaller fingerprints.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { fingerprintOf } from './accumulator.ts'
import { type Bound, boundBetween } from './item.ts'
import type { MessageWriter } from './message-writer.ts'
import type { RangeIndex } from './range-index.ts'

/** Parts of a split: the fan-out of the specification's implementations, so that messages equal theirs. */
export const BUCKETS = 16
/** Below this many items a range travels as its ids: fewer bytes than fingerprints and the ids after them. */
export const LEAF_ITEMS: number = BUCKETS * 2

/** Own items from rank `begin` to `end`, in the range that `bound` ends. */
export interface OwnRange {
  readonly begin: number
  readonly end: number
  readonly bound: Bound
}

/** Writes the ranges that together cover `range`. At most about 1,100 bytes. */
export function splitRange(out: MessageWriter, index: RangeIndex, range: OwnRange): void {
  const count = range.end - range.begin
  assert(count >= 0, 'a range does not end before it begins')
  if (count < LEAF_ITEMS) {
    out.idList(range.bound, count, index.items(range.begin, range.end))
    return
  }
  const perBucket = Math.floor(count / BUCKETS)
  const bucketsWithOneMore = count % BUCKETS
  let begin = range.begin
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const end = begin + perBucket + (bucket < bucketsWithOneMore ? 1 : 0)
    const bound = end === range.end ? range.bound : boundBetween(index.at(end - 1), index.at(end))
    out.fingerprint(bound, fingerprintOf(index.accumulate(begin, end)))
    begin = end
  }
  assert(begin === range.end, 'the buckets cover the range')
}

/** Writes fingerprints of at most `itemsMax` items each that together cover `range`: asks for it again, in pieces. */
export function askAgain(
  out: MessageWriter,
  index: RangeIndex,
  { range, itemsMax }: { readonly range: OwnRange; readonly itemsMax: number },
): void {
  const cut = range.begin + itemsMax
  if (cut >= range.end) {
    out.fingerprint(range.bound, fingerprintOf(index.accumulate(range.begin, range.end)))
    return
  }
  out.fingerprint(boundBetween(index.at(cut - 1), index.at(cut)), fingerprintOf(index.accumulate(range.begin, cut)))
  out.fingerprint(range.bound, fingerprintOf(index.accumulate(cut, range.end)))
}
