/**
 * The epochs of a store by page, and one by its id: what is not asked for is not worked out.
 *
 * A page goes on after an epoch where it was told, not at a number, so that one that comes meanwhile, or comes to count or
 * not to, moves none past it.
 *
 * @module
 */
import { assert, type IntentionId } from '@lattice/model'
import { type EpochPlace, inOrder, inOrderAfter } from './epoch-order.ts'
import { type EpochStatus, statusesOf, type StatusSource } from './epoch-status.ts'

/** Epochs of one page at most. */
export const EPOCHS_PER_PAGE_MAX = 1000

export interface EpochPageOptions {
  /** 1 to {@link EPOCHS_PER_PAGE_MAX}. */
  readonly limit: number
  /** `next` of the page before; absent: from the first on. */
  readonly after?: EpochPlace
}

/** Those that count first, the newest of them before: see `epoch-order.ts`. */
export interface EpochPage {
  readonly epochs: readonly EpochStatus[]
  /** Of all pages. */
  readonly total: number
  /** Where the next page goes on; undefined on the last. */
  readonly next: EpochPlace | undefined
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
      const all = book.epochs()
      const last = after && book.epochOf(after.id)
      if (after !== undefined && last === undefined) return undefined
      const rest = after && last ? inOrderAfter(book, all, { epoch: last, counts: after.counts }) : inOrder(book, all)
      const epochs = statusesOf(source, rest.slice(0, limit))
      const end = epochs.length === rest.length ? undefined : epochs.at(-1)
      const next = end && { id: end.id, counts: end.fault === undefined }
      return { epochs, total: all.length, next }
    },
  }
}
