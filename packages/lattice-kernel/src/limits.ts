/**
 * Who may no longer write, as the log needs to know it: where the writes of an author end to count.
 *
 * It follows from the records of membership in the log, so it changes with them alone, or when a parent store has others.
 *
 * @module
 */
import { equalBytes, type IntentionId, type PublicKey } from '@lattice/model'
import type { Cutoff, MembershipView } from '@lattice/store-base'

export type LimitsView = Pick<MembershipView, 'cutoffsOf' | 'isHeard' | 'limited' | 'isSenior' | 'faultOf'>

/** An intention that is an epoch by its form, whether it counts or not. */
export interface LimitingEpoch {
  readonly id: IntentionId
  readonly author: PublicKey
}

export interface Limits {
  /** The same object until something changed. */
  readonly view: () => LimitsView
  /** Every witnessed epoch. */
  readonly epochs: () => readonly LimitingEpoch[]
}

/** Cutoffs beyond which nothing of an author counts; the others take its privileges only. */
export function wholeCutoffs(view: LimitsView, author: PublicKey): readonly Cutoff[] {
  return view.cutoffsOf(author).filter(({ remains }) => remains !== 'writer')
}

/**
 * True for an author whose epochs are held although nothing else of it is: it is senior to all that removed it, so an epoch
 * of its own may void theirs.
 */
export function mayEndItsCutoffs(limits: Limits, author: PublicKey): boolean {
  const view = limits.view()
  const cutoffs = wholeCutoffs(view, author)
  return (
    view.isHeard(author) &&
    cutoffs.length > 0 &&
    cutoffs.every(({ epoch }) => {
      const by = limits.epochs().find(({ id }) => equalBytes(id, epoch))?.author
      return by !== undefined && view.isSenior(author, by)
    })
  )
}
