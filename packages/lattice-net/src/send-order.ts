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

/** Ranks looked at in one turn of the event loop: a few milliseconds. A difference may be sparse, or of ids nobody has. */
const WALK_RANKS = 4096

/** Ids noted in one turn. */
const NOTED_IDS = 16_384

export interface SendOrder {
  /**
   * The next ids to read, about {@link READ_SLICE_IDS}, and more where one millisecond has more; empty at the end, and
   * undefined when it takes another turn of the event loop to find them.
   */
  readonly next: () => readonly IntentionId[] | undefined
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
  return new Walk(index, ids)
}

/** Through the index, a range of ranks at a time, and on from the item after the last one taken. */
class Walk implements SendOrder {
  readonly #index: RangeIndex
  readonly #ids: readonly IntentionId[]
  readonly #left = new Set<IdKey>()
  #noted = 0
  #rank = 0
  /** Of the last id taken, in an earlier turn too. */
  #lastTimestamp: number | undefined
  #slice: IntentionId[] = []

  constructor(index: RangeIndex, ids: readonly IntentionId[]) {
    this.#index = index
    this.#ids = ids
  }

  next(): readonly IntentionId[] | undefined {
    if (this.#noted < this.#ids.length) {
      for (const id of this.#ids.slice(this.#noted, (this.#noted += NOTED_IDS))) this.#left.add(idKey(id))
      return undefined
    }
    const end = Math.min(this.#index.size(), this.#rank + WALK_RANKS)
    if (this.#left.size === 0 || this.#rank >= end) return this.#takeSlice()
    for (const item of this.#index.items(this.#rank, end)) {
      if (this.#slice.length >= READ_SLICE_IDS && item.timestamp !== this.#lastTimestamp) return this.#takeSlice()
      this.#rank += 1
      if (!this.#left.delete(idKey(item.id))) continue
      this.#slice.push(toIntentionId(item.id))
      this.#lastTimestamp = item.timestamp
    }
    return this.#left.size === 0 ? this.#takeSlice() : undefined
  }

  #takeSlice(): readonly IntentionId[] {
    const slice = this.#slice
    this.#slice = []
    return slice
  }
}
