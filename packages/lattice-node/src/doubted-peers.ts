/**
 * Peers that gave the beginning of a store which nothing bore out: for a while others are asked in their place.
 *
 * What was not borne out may have been told too early, so it is held against nobody for long.
 *
 * @module
 */
import { type Clock, idKey, type IdKey, type PublicKey } from '@lattice/model'
import { RETRY_MAX_MS } from './retry-pauses.ts'

export interface DoubtedPeers {
  readonly doubt: (peer: PublicKey) => void
  /** Those of them that are not doubted; all where there is nobody else. */
  readonly trusted: <Hint extends { readonly peer: PublicKey }>(peers: readonly Hint[]) => readonly Hint[]
}

/** Starts with nobody doubted. */
export function createDoubtedPeers({ monotonicMs }: Pick<Clock, 'monotonicMs'>): DoubtedPeers {
  const until = new Map<IdKey, number>()
  return {
    doubt: (peer) => {
      for (const [key, endMs] of until) if (endMs <= monotonicMs()) until.delete(key)
      until.set(idKey(peer), monotonicMs() + RETRY_MAX_MS)
    },
    trusted: (peers) => {
      const trusted = peers.filter(({ peer }) => (until.get(idKey(peer)) ?? 0) <= monotonicMs())
      return trusted.length > 0 ? trusted : peers
    },
  }
}
