/**
 * The epochs of a store by page, and one by its id: what is not asked for is not worked out.
 *
 * A page goes on after an epoch, not at a number, so that one that comes meanwhile moves none twice or past it.
 *
 * @module
 */
import { assert, type IntentionId } from '@lattice/model'
import { type EpochStatus, newestFirst, statusesOf, type StatusSource } from './epoch-status.ts'

/** Epochs of one page at most. */
export const EPOCHS_PER_PAGE_MAX = 1000

export interface EpochPageOptions {
  /** 1 to {@link EPOCHS_PER_PAGE_MAX}. */
  readonly limit: number
  /** `next` of the page before; absent: from the newest on. */
  readonly after?: IntentionId
}

/** Newest first. */
export interface EpochPage {
  readonly epochs: readonly EpochStatus[]
  /** Of all pages. */
  readonly total: number
  /** Where the next page goes on; undefined on the last. */
  readonly next: IntentionId | undefined
}

export interface EpochPages {
  /** Undefined for what is no epoch here. */
  readonly epoch: (id: IntentionId) => EpochStatus | undefined
  /** Epochs that do not count included. Undefined where `after` is no epoch here. */
  readonly epochPage: (options: EpochPageOptions) => EpochPage | undefined
}

export function createEpochPages(source: StatusSource): EpochPages {
  const { book } = source.log
  return {
    epoch: (id) => {
      const found = book.epochOf(id)
      return found && statusesOf(source, [found])[0]
    },
    epochPage: ({ limit, after }) => {
      assert(limit > 0 && limit <= EPOCHS_PER_PAGE_MAX, 'a page has a size, within bounds')
      const last = after && book.epochOf(after)
      if (after !== undefined && last === undefined) return undefined
      const all = book.epochs().toSorted(newestFirst)
      const first = last === undefined ? 0 : all.indexOf(last) + 1
      const epochs = all.slice(first, first + limit)
      const isLast = first + epochs.length === all.length
      const next = isLast ? undefined : epochs.at(-1)?.record.id
      return { epochs: statusesOf(source, epochs), total: all.length, next }
    },
  }
}
