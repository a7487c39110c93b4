/**
 * How a write cites more intentions than its own deps can hold.
 *
 * An intention has at most 16 deps, yet a batch over a thousand keys replaces
 * a thousand heads. The writer then first makes an AckOp that cites them all,
 * in the same commit group, and the write cites that ack, which is its
 * `store_prev`. Whoever projects the write counts the ack's deps as its own.
 *
 * Safe, because an ack's deps are causes like any other: an intention is not
 * witnessed before them, so nothing can be cited that was not seen, and every
 * causal order applies them first. One level and one ack, so reading it costs
 * one look-up whatever a peer sends.
 *
 * Pure.
 *
 * @module
 */
import { assert, compareBytes, idKey, type IdKey, type IntentionId, MAX_CAUSAL_DEPS } from '@lattice/model'
import { MAX_FOLDED_DEPS } from './limits.ts'

export interface CitationPlan {
  /** What an AckOp made just before the write has to cite; empty when none is needed. Sorted, unique. */
  readonly ack: readonly IntentionId[]
  /** What the write itself cites, beside the ack if there is one. Sorted, unique. */
  readonly direct: readonly IntentionId[]
}

/**
 * Splits what a write wants to cite. `required` is always direct: admissions,
 * grants and the author's other tips; at most 15, so that an ack fits beside.
 */
export function planCitations({
  wanted,
  required,
}: {
  readonly wanted: readonly IntentionId[]
  readonly required: readonly IntentionId[]
}): CitationPlan {
  assert(wanted.length <= MAX_FOLDED_DEPS, 'a write cites at most what one ack holds')
  const own = sortedUnique(required)
  assert(own.length < MAX_CAUSAL_DEPS, 'required deps leave room for an ack')
  const all = sortedUnique([...required, ...wanted])
  if (all.length <= MAX_CAUSAL_DEPS) return { ack: [], direct: all }
  return { ack: sortedUnique(wanted), direct: own }
}

/** The deps of a write together with those of the ack that folds them. Sorted, unique. */
export function unfoldCitations(deps: readonly IntentionId[], ackDeps: readonly IntentionId[]): readonly IntentionId[] {
  return sortedUnique([...deps, ...ackDeps])
}

function sortedUnique(ids: readonly IntentionId[]): readonly IntentionId[] {
  const unique = new Map<IdKey, IntentionId>()
  for (const id of ids) unique.set(idKey(id), id)
  return [...unique.values()].toSorted(compareBytes)
}
