/**
 * Gap filling as the service runs it: who is known to hold what is lacking, and what follows once nothing is.
 *
 * @module
 */
import type { PublicKey, StoreId } from '@lattice/model'
import { comparedWith } from './claimed-digest.ts'
import type { SyncReason } from './gossip.ts'
import type { NetworkLimits } from './limits.ts'
import type { LinkTable } from './link-table.ts'
import type { NetworkServiceOptions } from './network-options.ts'
import type { PeerConduct } from './peer-conduct.ts'
import type { GapRunnerDeps } from './run-gap-filler.ts'
import type { PeerDigests } from './peer-digests.ts'
import type { PeerLink } from './peer-link.ts'
import { sameSet } from './reconcile.ts'
import { createGapRunner, type GapRunner } from './run-gap-filler.ts'
import type { SessionAnswer, SessionCall } from './session-call.ts'
import type { StoreRegistry } from './store-registry.ts'

export interface StoreGapsDeps {
  readonly options: Pick<NetworkServiceOptions, 'crypto' | 'scheduler' | 'logger'>
  readonly limits: NetworkLimits
  readonly stores: StoreRegistry
  readonly links: () => Pick<LinkTable, 'get' | 'all'>
  readonly peerDigests: Pick<PeerDigests, 'get'>
  readonly conduct: Pick<PeerConduct, 'uncaused'>
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
  readonly requestSync: (peer: PublicKey, storeId: StoreId, reason: SyncReason) => void
  readonly onReturning: GapRunnerDeps['onReturning']
}

/** Starts without gaps. */
export function createStoreGaps(deps: StoreGapsDeps): GapRunner {
  const { options, limits, stores, links, peerDigests, conduct, perform, requestSync } = deps
  const { crypto, scheduler, logger } = options

  /** As far as the peer said, it holds what is not here. */
  function holdsOther(peer: PublicKey, storeId: StoreId): boolean {
    const theirs = peerDigests.get(peer, storeId)
    const store = stores.get(storeId)
    const ours = theirs && store && comparedWith(store, theirs)
    return (
      ours !== undefined && theirs !== undefined && theirs.witnessCount >= ours.witnessCount && !sameSet(theirs, ours)
    )
  }
  /** As far as the peer said, it holds more than is here. Whoever holds as much and differs shows it by its heartbeats. */
  function holdsMore(peer: PublicKey, storeId: StoreId): boolean {
    const theirs = peerDigests.get(peer, storeId)
    const store = stores.get(storeId)
    const ours = theirs && store && comparedWith(store, theirs)
    return ours !== undefined && theirs !== undefined && theirs.witnessCount > ours.witnessCount
  }
  /** Connected peers that are known to hold of the store what is not here, those with the most first. */
  function holdersOf(storeId: StoreId): readonly PublicKey[] {
    const countOf = (peer: PublicKey): number => peerDigests.get(peer, storeId)?.witnessCount ?? 0
    const holders = links()
      .all()
      .map(({ peer }) => peer)
      .filter((peer) => holdsOther(peer, storeId))
    return holders.sort((a, b) => countOf(b) - countOf(a))
  }

  return createGapRunner({
    crypto,
    scheduler,
    logger,
    limits,
    link: (peer) => links().get(peer),
    resolve: stores.resolve,
    storeSignal: (storeId) => (stores.get(storeId) === undefined ? undefined : stores.signal(storeId)),
    others: holdersOf,
    perform,
    requestSession: (peer, storeId) => requestSync(peer, storeId, 'overflow'),
    onFilled: (peer, storeId) => {
      if (holdsMore(peer, storeId)) requestSync(peer, storeId, 'differs')
    },
    score: conduct.uncaused,
    onReturning: deps.onReturning,
  })
}
