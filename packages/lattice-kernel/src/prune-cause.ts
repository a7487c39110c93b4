/**
 * What a prune says it deletes.
 *
 * @module
 */
import { type IntentionId, readIntentionId } from '@lattice/model'
import type { BookEpoch } from './epoch-book.ts'

/** The epoch that a prune deletes below; undefined for any other epoch. */
export function belowOf({ record }: BookEpoch): IntentionId | 'itself' | undefined {
  const cause = record.op.value.cause?.cause
  if (cause?.case !== 'prune') return undefined
  return cause.value.below.length === 0 ? 'itself' : readIntentionId(cause.value.below)
}
