/**
 * Intentions: what a signed write is, and every way one can be refused.
 *
 * @module
 */
import { compareBytes, equalBytes } from './bytes.ts'
import type { Hlc } from './hlc.ts'
import { type Hash, type IntentionId, type PublicKey, toIntentionId, ZERO_HASH } from './ids.ts'

/** What pruning may do with an intention. */
export interface Hints {
  /** Once all acked past it, the intention may be taken for a root. */
  readonly supersedesAll: boolean
  /** At the end of a chain, the intention may go once all acked past it. */
  readonly ephemeral: boolean
}

/** Neither hint. */
export const NO_HINTS: Hints = { supersedesAll: false, ephemeral: false }

/**
 * One write, without its signature. Decoded intentions are views of the bytes they came from: nobody writes to either.
 */
export interface Intention {
  readonly author: PublicKey
  readonly timestamp: Hlc
  /** The author's previous intention in this store; the genesis for its first; zero in the genesis. */
  readonly storePrev: Hash
  /** Other intentions observed: ascending bytewise, unique, empty only in the genesis. */
  readonly causalDeps: readonly IntentionId[]
  readonly hints: Hints
  /** By convention an encoded `UniversalOp`. Opaque here. */
  readonly ops: Uint8Array
}

/** An intention in the form of disk and wire: the bytes as they were signed, never re-encoded. */
export interface SignedIntention {
  readonly bytes: Uint8Array
  /** 64 bytes; or none, inside a run that a later intention of the author closes. */
  readonly signature: Uint8Array
}

/** Why bytes are not a valid intention, now and for ever. */
export type IntentionError =
  | { readonly code: 'intention_too_large'; readonly bytes: number; readonly limit: number }
  | { readonly code: 'truncated'; readonly needed: number; readonly available: number }
  | { readonly code: 'trailing_bytes'; readonly bytes: number }
  | { readonly code: 'bad_version'; readonly version: number }
  | { readonly code: 'timestamp_out_of_range' }
  | { readonly code: 'too_many_deps'; readonly deps: number; readonly limit: number }
  | { readonly code: 'unsorted_deps'; readonly index: number }
  | { readonly code: 'duplicate_dep'; readonly index: number }
  | { readonly code: 'zero_dep' }
  | { readonly code: 'missing_deps' }
  | { readonly code: 'genesis_with_deps' }
  | { readonly code: 'reserved_hints'; readonly hints: number }
  | { readonly code: 'ops_too_large'; readonly bytes: number; readonly limit: number }
  | { readonly code: 'genesis_malformed'; readonly why: 'op' | 'store_type' | 'nonce' }
  | { readonly code: 'genesis_misplaced' }
  | { readonly code: 'genesis_unsigned' }
  | { readonly code: 'bad_signature_length'; readonly bytes: number }

/** Every code of {@link IntentionError}. */
export type IntentionErrorCode = IntentionError['code']

/** True for the first intention of a store: the one without a previous. */
export function isGenesis(intention: Intention): boolean {
  return equalBytes(intention.storePrev, ZERO_HASH)
}

/** `store_prev` and the deps, without duplicates and without the genesis' zero: what must be witnessed before. */
export function causesOf(intention: Intention): IntentionId[] {
  if (isGenesis(intention)) return [...intention.causalDeps]
  const prev = toIntentionId(intention.storePrev)
  const causes: IntentionId[] = [prev]
  for (const dep of intention.causalDeps) if (!equalBytes(dep, prev)) causes.push(dep)
  return causes
}

/** Ids in the order of `causal_deps`: ascending bytewise, each once. */
export function sortDeps(ids: Iterable<IntentionId>): IntentionId[] {
  const sorted = [...ids].sort(compareBytes)
  return sorted.filter((id, index) => {
    const before = sorted[index - 1]
    return before === undefined || !equalBytes(before, id)
  })
}
