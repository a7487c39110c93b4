/**
 * Over which base two sides work, or who of them has to fetch the store anew first.
 *
 * A base can be taken by who has that epoch and did not cut later: it leaves out what lies below it. Where neither side has
 * the other's, one is behind what the other cut: its history lacks causes that nobody gives it any more. It is *returning*.
 * That is the one with the earlier base, or without any; of two with one number, which are concurrent, the one whose base
 * gives way by the rule for epochs.
 *
 * Pure. Both sides come to the same from what they know, each from its place.
 *
 * @module
 */
import { assert, compareEpochs, type IntentionId, type NumberedEpoch } from '@lattice/model'
import { sameBase } from './claimed-digest.ts'

export interface BaseQuestion {
  /** This side's; undefined for the whole history. */
  readonly ours: NumberedEpoch | undefined
  readonly theirs: NumberedEpoch | undefined
  /** This side can make the set over `theirs`. */
  readonly isTheirsHere: boolean
  /** The same of the peer and `ours`; undefined while the peer has not been asked. */
  readonly isOursThere: boolean | undefined
}

export type BaseChoice =
  /** Both work over it; undefined: over nothing, both have the whole history. */
  | { readonly kind: 'over'; readonly base: IntentionId | undefined }
  /** The peer is to be told `ours`: it may have it. */
  | { readonly kind: 'ask' }
  | BasesDisagree

/** There is no set to compare. */
export interface BasesDisagree {
  readonly kind: 'disagree'
  /** Who has to fetch the store anew. */
  readonly returning: 'us' | 'peer'
}

export function chooseBase({ ours, theirs, isTheirsHere, isOursThere }: BaseQuestion): BaseChoice {
  if (sameBase(ours?.epoch, theirs?.epoch)) return { kind: 'over', base: ours?.epoch }
  if (theirs !== undefined && isTheirsHere) return { kind: 'over', base: theirs.epoch }
  if (ours !== undefined && isOursThere === true) return { kind: 'over', base: ours.epoch }
  if (ours !== undefined && isOursThere === undefined) return { kind: 'ask' }
  return { kind: 'disagree', returning: returningOf(ours, theirs) }
}

function returningOf(ours: NumberedEpoch | undefined, theirs: NumberedEpoch | undefined): BasesDisagree['returning'] {
  assert(ours !== undefined || theirs !== undefined, 'whole histories are compared')
  if (ours === undefined) return 'us'
  return theirs === undefined || compareEpochs(ours, theirs) < 0 ? 'peer' : 'us'
}
