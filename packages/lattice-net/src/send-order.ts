/**
 * The order in which a difference is sent: causes first, a slice at a time.
 *
 * A difference that fits one slice is ordered by the log itself when it is read. A larger one is walked in the order of
 * the range index: timestamps grow along causes, so every slice finds its causes in the ones before it. Of what one
 * millisecond holds the index knows no order but that of the ids, so a slice ends between two milliseconds, and the log
 * orders it. The walk goes on from where it was, so each step costs about a slice.
 *
 * @module
 */
import { type IdKey, idKey, type IntentionId, toIntentionId } from '@lattice/model'
import type { RangeIndex } from '@lattice/sync'
import { READ_SLICE_IDS } from './limits.ts'

/** Ranks looked at per step of the walk: some slices' worth, so that sparse differences take few steps. */
const WALK_RANKS = 16_384

export interface SendOrder {
  /** The next ids to read, about {@link READ_SLICE_IDS}, and more where one millisecond has more; empty at the end. */
  readonly next: () => readonly IntentionId[]
}

/** Orders `ids`, which are in `index`; others are left out when there are many, and for the log to ignore when few. */
export function createSendOrder(index: RangeIndex, ids: readonly IntentionId[]): SendOrder {
  if (ids.length <= READ_SLICE_IDS) {
    let given = false
    return {
      next: () => {
        if (given) return []
        given = true
        return ids
      },
    }
  }
  const left = new Set<IdKey>(ids.map(idKey))
  let rank = 0
  return {
    next: () => {
      const slice: IntentionId[] = []
      let lastTimestamp: number | undefined
      // The walk goes a range of ranks at a time, and on from the item after the last one taken.
      while (left.size > 0 && rank < index.size()) {
        const end = Math.min(index.size(), rank + WALK_RANKS)
        for (const item of index.items(rank, end)) {
          if (slice.length >= READ_SLICE_IDS && item.timestamp !== lastTimestamp) return slice
          rank += 1
          if (!left.delete(idKey(item.id))) continue
          slice.push(toIntentionId(item.id))
          lastTimestamp = item.timestamp
        }
      }
      return slice
    },
  }
}
