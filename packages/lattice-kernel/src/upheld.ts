/**
 * Whether what lies below an epoch counts as it was known there.
 *
 * What is known later may take back a write below an epoch, or give back one: an epoch that nobody who acknowledged this
 * one had seen. State at the epoch stays what it was; but it is not on the way to state now, so the epoch is not final,
 * and nothing is pruned by it. Whoever joins the two makes one that is.
 *
 * @module
 */
import { type Crypto, equalBytes, type IdKey, idKey } from '@lattice/model'
import type { MembershipPolicy } from '@lattice/store-base'
import { downsetOf } from './downset.ts'
import { cutsBelow, cutsDigest } from './epoch-cuts.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { Cuts } from './excluded-set.ts'
import type { LogStore } from './log-store.ts'

export type IsUpheld = (epoch: BookEpoch) => boolean

export interface UpheldDeps {
  readonly log: LogStore
  readonly crypto: Crypto
  readonly membership: MembershipPolicy | undefined
}

export function createUpheld({ log, crypto, membership }: UpheldDeps): IsUpheld {
  const answers = new Map<IdKey, boolean>()
  let [version, cuts]: [number, Cuts | undefined] = [-1, undefined]

  function compare(policy: MembershipPolicy, epoch: BookEpoch): boolean {
    const below = downsetOf(log, epoch)
    const known = cutsBelow(log, policy, below)
    const digest = (of: Cuts): Uint8Array => cutsDigest({ crypto, log }, of, below)
    return known !== undefined && equalBytes(digest(known), digest(log.excluded.cuts()))
  }

  return (epoch) => {
    if (membership === undefined || !log.limits.mayLimit()) return true
    if (version !== log.book.version() || cuts !== log.excluded.cuts()) answers.clear()
    version = log.book.version()
    cuts = log.excluded.cuts()
    const key = idKey(epoch.record.id)
    const answer = answers.get(key) ?? compare(membership, epoch)
    answers.set(key, answer)
    return answer
  }
}
