/**
 * Which of two epochs goes before the other, the same for everybody: the winner rule wherever one has to give way.
 *
 * @module
 */
import { compareBytes } from './bytes.ts'
import type { IntentionId } from './ids.ts'

/** An epoch with the number that it gives itself: one that is later in time has a larger one. */
export interface NumberedEpoch {
  readonly epoch: IntentionId
  readonly seq: bigint
}

/** For sorting, and below zero where `a` goes before `b`: the higher number does, and of equal ones the lower id. */
export function compareEpochs(a: NumberedEpoch, b: NumberedEpoch): number {
  if (a.seq !== b.seq) return a.seq > b.seq ? -1 : 1
  return compareBytes(a.epoch, b.epoch)
}
