/**
 * Who may no longer write, as the log needs to know it: where the writes of an author end to count.
 *
 * It follows from the records of membership in the log, so it changes with them alone, or when a parent store has others.
 *
 * @module
 */
import { type IntentionId, type PublicKey } from '@lattice/model'
import type { Cutoff, MembershipView } from '@lattice/store-base'
import type { BookItem } from './book-items.ts'
import type { BookEpoch, EpochBook } from './epoch-book.ts'

export type LimitsView = Pick<
  MembershipView,
  'cutoffsOf' | 'isHeard' | 'limited' | 'mayOutrank' | 'mayReturn' | 'faultOf' | 'hasSay'
>

/** An intention that is an epoch by its form, whether it counts or not. */
export interface LimitingEpoch {
  readonly id: IntentionId
  readonly author: PublicKey
  /** By its own past it is none, for ever. */
  readonly isNone: boolean
}

export interface Limits {
  /** The same object until something changed. */
  readonly view: () => LimitsView
  /** Changes when the view may. */
  readonly version: () => number
  /** Every witnessed epoch. */
  readonly epochs: () => readonly LimitingEpoch[]
  /** Every witnessed record but epochs that are none. */
  readonly records: () => readonly BookItem[]
  readonly isBefore: EpochBook['isBefore']
  /** False while no epoch takes anything away: then the view need not be made. */
  readonly mayLimit: () => boolean
  /** An epoch that removed this node and is shown beside the log, which cannot hold it. */
  readonly shown?: () => { readonly peer: PublicKey; readonly epoch: IntentionId; readonly last: number } | undefined
}

/** Limits by the records of a log. */
export function limitsOf(book: EpochBook): Limits {
  const takesAway = ({ record }: BookEpoch): boolean => {
    const cause = record.op.value.cause?.cause.case
    return cause === 'membership' || cause === 'parent'
  }
  let made:
    | { readonly version: number; readonly epochs: readonly LimitingEpoch[]; readonly mayLimit: boolean }
    | undefined
  const current = (): NonNullable<typeof made> => {
    const version = book.version()
    if (made?.version !== version) {
      const epochs = book
        .epochs()
        .map(({ record: { id, author }, fault }) => ({ id, author, isNone: fault !== undefined }))
      made = { version, epochs, mayLimit: book.valid().some(takesAway) }
    }
    return made
  }
  return {
    view: book.view,
    version: book.version,
    epochs: () => current().epochs,
    records: book.counting,
    isBefore: book.isBefore,
    mayLimit: () => current().mayLimit,
  }
}

/** Cutoffs beyond which nothing of an author counts; the others take its privileges only. */
export function wholeCutoffs(view: LimitsView, author: PublicKey): readonly Cutoff[] {
  return view.cutoffsOf(author).filter(({ remains }) => remains !== 'writer')
}

/**
 * True for an author whose epochs are held although nothing else of it is: one of its own may void every epoch that removed
 * it, or follow its return.
 */
export function mayEndItsCutoffs(view: LimitsView, author: PublicKey): boolean {
  const cutoffs = wholeCutoffs(view, author)
  if (!view.isHeard(author) || cutoffs.length === 0) return false
  return view.mayReturn(author) || cutoffs.every(({ epoch }) => view.mayOutrank(author, epoch))
}
