/**
 * A store as a session over one base sees it.
 *
 * @module
 */
import { type NumberedEpoch, readIntentionId } from '@lattice/model'
import type { SetOverBase } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import { sameBase } from './claimed-digest.ts'
import type { SessionStore } from './session-call.ts'

/** A store together with the base over which it is compared. */
export interface BasedStore {
  readonly store: SessionStore
  readonly base: NumberedEpoch | undefined
  /** Intentions of the chains' beginnings that are not in the set. */
  readonly goneCount: number
}

/** Over the store's own base. */
export function overOwnBase(store: SessionStore): BasedStore {
  const base = store.base()
  return { store, base, goneCount: base?.goneCount ?? 0 }
}

/** Over a later base that is here; undefined for any other. */
export function overLaterBase(store: SessionStore, base: NumberedEpoch): BasedStore | undefined {
  const set = store.over(base.epoch)
  if (set === undefined) return undefined
  const before = store.base()
  // As of one turn: what the whole set has and the one over the base has not.
  const goneCount = (before?.goneCount ?? 0) + store.digest().witnessCount - set.digest().witnessCount
  // It may be that of the log by now: then the log's own set is the one over it.
  const present = (): SetOverBase =>
    sameBase(store.base()?.epoch, base.epoch) ? store : (store.over(base.epoch) ?? set)
  const based = { ...store, digest: () => present().digest(), rangeIndex: () => present().rangeIndex() }
  return { store: based, base, goneCount }
}

/** True while what the session began with is what the store has: over its own base, or one that is still to come. */
export function isStillOver({ store, base }: BasedStore): boolean {
  return sameBase(store.base()?.epoch, base?.epoch) || (base !== undefined && store.over(base.epoch) !== undefined)
}

/** The base that a `Hello` names; `malformed` when it is none. */
export function readBase({
  base,
  baseSeq,
}: Pick<net.Hello, 'base' | 'baseSeq'>): NumberedEpoch | 'malformed' | undefined {
  if (base.length === 0) return baseSeq === 0n ? undefined : 'malformed'
  const epoch = readIntentionId(base)
  return epoch === undefined ? 'malformed' : { epoch, seq: baseSeq }
}
