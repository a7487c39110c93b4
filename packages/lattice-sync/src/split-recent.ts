/**
 * A first message for sets that differ mostly at their recent end: its ranges get shorter towards the end.
 *
 * Any partition of the order is a first message, so every responder understands it. The newest items travel as ids and
 * are decided by the first answer. A range of up to about 7,000 items takes one round trip more (sixteenths, then
 * sixteenths of those, then ids), so what lies in the last 14,000 does; longer ranges, further back, are no longer than
 * those of an even split and take no more round trips than with it.
 *
 * @module
 */
import { fingerprintOf } from './accumulator.ts'
import { boundBetween, INFINITY_BOUND } from './item.ts'
import type { MessageWriter } from './message-writer.ts'
import type { RangeIndex } from './range-index.ts'
import { BUCKETS } from './split-range.ts'

/** Items at the end that travel as ids: a burst of writes or two, in 2 KiB. */
export const RECENT_IDS = 64
/** Shortest range: its sixteenths are short lists of ids. */
const RANGE_ITEMS_MIN = 256
/** A range is at most this share of what comes after it. */
const GROWTH = 1 / 2

/** Writes ranges that cover `index`. */
export function splitRecent(out: MessageWriter, index: RangeIndex): void {
  const size = index.size()
  const begins = rangeBegins(size)
  for (const [position, begin] of begins.entries()) {
    const end = begins[position + 1]
    if (end === undefined) out.idList(INFINITY_BOUND, size - begin, index.items(begin, size))
    else out.fingerprint(boundBetween(index.at(end - 1), index.at(end)), fingerprintOf(index.accumulate(begin, end)))
  }
}

/** The ranks at which ranges begin, ascending. */
function rangeBegins(size: number): readonly number[] {
  const longest = Math.max(RANGE_ITEMS_MIN, Math.ceil(size / BUCKETS))
  const begins: number[] = []
  let begin = Math.max(0, size - RECENT_IDS)
  for (; begin > 0; begin -= Math.min(begin, longest, Math.max(RANGE_ITEMS_MIN, Math.floor((size - begin) * GROWTH)))) {
    begins.push(begin)
  }
  begins.push(0)
  return begins.reverse()
}
