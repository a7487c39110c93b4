/**
 * Which sessions would bring nothing, because the two histories have no beginning in common.
 *
 * A session that showed so is not repeated as things are: whoever is behind fetches the store anew, which nobody hurries by
 * asking. It is tried again once either side has another base, or has that of the other. Entries exist for connected peers
 * and registered stores only: that is their bound.
 *
 * @module
 */
import { equalBytes, type IntentionId, type PublicKey, type StoreId } from '@lattice/model'
import { type ClaimedDigest, type ComparedStore, comparedWith, sameBase } from './claimed-digest.ts'
import type { BasesDiffer } from './errors.ts'
import { pairKey } from './session-slots.ts'

export interface ReturningBook {
  /** A session with the peer showed it. */
  readonly note: (peer: PublicKey, storeId: StoreId, error: Pick<BasesDiffer, 'base'>) => void
  /** True while it is so. */
  readonly holds: (peer: PublicKey, storeId: StoreId) => boolean
  readonly forgetPeer: (peer: PublicKey) => void
  readonly forgetStore: (storeId: StoreId) => void
}

export interface ReturningBookOptions {
  readonly store: (storeId: StoreId) => ComparedStore | undefined
  /** What the peer last said that it holds. */
  readonly claim: (peer: PublicKey, storeId: StoreId) => ClaimedDigest | undefined
}

interface Entry {
  readonly peer: PublicKey
  readonly storeId: StoreId
  readonly ours: IntentionId | undefined
  readonly theirs: IntentionId | undefined
}

/** Starts empty. */
export function createReturningBook({ store: storeOf, claim }: ReturningBookOptions): ReturningBook {
  const entries = new Map<string, Entry>()

  function isStillSo({ peer, storeId, ours, theirs }: Entry): boolean {
    const store = storeOf(storeId)
    if (store === undefined || !sameBase(store.base()?.epoch, ours)) return false
    if (theirs !== undefined && store.over(theirs) !== undefined) return false
    const said = claim(peer, storeId)
    return said === undefined || sameBase(said.base, theirs) || comparedWith(store, said) === undefined
  }
  function forget(isGone: (entry: Entry) => boolean): void {
    for (const [key, entry] of entries) if (isGone(entry)) entries.delete(key)
  }
  return {
    note: (peer, storeId, { base }) => {
      const ours = storeOf(storeId)?.base()?.epoch
      entries.set(pairKey(peer, storeId), { peer, storeId, ours, theirs: base })
    },
    holds: (peer, storeId) => {
      const entry = entries.get(pairKey(peer, storeId))
      if (entry === undefined) return false
      const holds = isStillSo(entry)
      if (!holds) entries.delete(pairKey(peer, storeId))
      return holds
    },
    forgetPeer: (peer) => forget((entry) => equalBytes(entry.peer, peer)),
    forgetStore: (storeId) => forget((entry) => equalBytes(entry.storeId, storeId)),
  }
}
