/**
 * Peers that gave the beginning of a store which nothing bore out: for a while others are asked in their place.
 *
 * What was not borne out may have been told too early, so it is held against nobody for long.
 *
 * @module
 */
import { type Clock, idKey, type IdKey, type PublicKey } from '@lattice/model'
import { createPauses } from './pauses.ts'
import { RETRY_MAX_MS } from './retry-pauses.ts'

export interface DoubtedPeers {
  readonly doubt: (peer: PublicKey) => void
  /** Those of them that are not doubted; all where there is nobody else. */
  readonly trusted: <Hint extends { readonly peer: PublicKey }>(peers: readonly Hint[]) => readonly Hint[]
}

/** Starts with nobody doubted. */
export function createDoubtedPeers(clock: Pick<Clock, 'monotonicMs'>): DoubtedPeers {
  const doubted = createPauses<IdKey>(clock, RETRY_MAX_MS)
  return {
    doubt: (peer) => doubted.begin(idKey(peer)),
    trusted: (peers) => {
      const trusted = peers.filter(({ peer }) => !doubted.isPaused(idKey(peer)))
      return trusted.length > 0 ? trusted : peers
    },
  }
}
