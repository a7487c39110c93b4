/**
 * The short form of a replica, as it is told to others, and how it compares with what is here.
 *
 * Sets are compared over one base. Whoever knows that of the other says what it holds over it: a later one can be taken by
 * both, an earlier one is gone here. So of two claims over different bases, one says nothing yet, and the other will.
 *
 * @module
 */
import { equalBytes, type IntentionId } from '@lattice/model'
import type { ReplicaDigest, ReplicatedStore } from '@lattice/net-types'

/** What a peer says its store adds up to. */
export interface ClaimedDigest {
  readonly witnessCount: number
  readonly fingerprint: Uint8Array
  /** The base over which that is; undefined for the whole history. */
  readonly base?: IntentionId | undefined
}

/** What of a store is compared. */
export type ComparedStore = Pick<ReplicatedStore, 'digest' | 'base' | 'over'>

/** True for the same base, or the whole history twice. */
export function sameBase(a: IntentionId | undefined, b: IntentionId | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b)
}

/** What is here, as it is told to a peer that last spoke of the store over `theirs`. */
export function claimTo(store: ComparedStore, theirs: IntentionId | undefined): ReplicaDigest & ClaimedDigest {
  const own = store.base()?.epoch
  const over = theirs === undefined || sameBase(own, theirs) ? undefined : store.over(theirs)
  return over === undefined ? { ...store.digest(), base: own } : { ...over.digest(), base: theirs }
}

/** What is here over the base of a claim; undefined where that is not here, or gone. */
export function comparedWith(store: ComparedStore, { base }: ClaimedDigest): ReplicaDigest | undefined {
  if (sameBase(store.base()?.epoch, base)) return store.digest()
  return base === undefined ? undefined : store.over(base)?.digest()
}

/** The fields by which a claim travels. */
export function claimFields({ witnessCount, fingerprint, base }: ClaimedDigest): {
  readonly witnessCount: bigint
  readonly fingerprint: Uint8Array
  readonly base?: Uint8Array
} {
  return { witnessCount: BigInt(witnessCount), fingerprint, ...(base === undefined ? {} : { base }) }
}
