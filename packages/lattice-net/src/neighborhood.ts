/**
 * Gossip as the service runs it: with the dialer that reaches its neighbours, and the stores it speaks of.
 *
 * @module
 */
import { assert, type PublicKey, type StoreId } from '@lattice/model'
import { type ConnectionWishes, createConnectionWishes } from './connection-wishes.ts'
import type { Dialer } from './dialer.ts'
import type { DigestRounds } from './digest-rounds.ts'
import type { Gossip, GossipLink, SyncReason } from './gossip.ts'
import { createTreeGossip } from './gossip/tree-gossip.ts'
import type { NetworkLimits } from './limits.ts'
import type { NetworkServiceOptions } from './network-options.ts'
import type { PeerDigests } from './peer-digests.ts'
import type { PeerLink } from './peer-link.ts'
import type { SessionAnswer, SessionCall } from './session-call.ts'
import type { StoreRegistry } from './store-registry.ts'

export interface Neighborhood {
  readonly wishes: ConnectionWishes
  readonly gossip: Gossip
  /** A connection as gossip uses it. */
  readonly linkOf: (link: PeerLink) => GossipLink
}

export interface NeighborhoodDeps {
  readonly options: NetworkServiceOptions
  readonly limits: NetworkLimits
  readonly stores: StoreRegistry
  readonly rounds: DigestRounds
  readonly peerDigests: PeerDigests
  readonly dialer: () => Dialer
  readonly isConnected: (peer: PublicKey) => boolean
  readonly requestSync: (peer: PublicKey, storeId: StoreId, reason: SyncReason) => void
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
  /** The peer says that this node was removed from the store. */
  readonly onRevoked: (peer: PublicKey, storeId: StoreId) => void
}

/** Starts without neighbours. */
export function createNeighborhood(deps: NeighborhoodDeps): Neighborhood {
  const { options, limits, stores, rounds, peerDigests, dialer, isConnected, requestSync } = deps
  const { transport, crypto, clock, random, scheduler, addressesOf = () => [] } = options
  const wishes = createConnectionWishes({
    self: transport.id,
    clock,
    random,
    limits,
    dialer,
    isConnected,
    addressesOf,
    ownAddresses: () => transport.addresses(),
    onFailed: (peer) => gossip.dialFailed(peer),
  })
  const gossip: Gossip = (options.gossip ?? createTreeGossip)({
    self: transport.id,
    crypto,
    scheduler,
    random,
    nowMs: clock.monotonicMs,
    limits,
    stores,
    requestSync,
    onDigest: rounds.claimed,
    peerDigest: peerDigests.get,
    onUnshared: rounds.unshared,
    onRevoked: deps.onRevoked,
    onStranger: rounds.doubted,
    connector: wishes,
  })
  return {
    wishes,
    gossip,
    linkOf: (link) => {
      const perform = (call: SessionCall): Promise<SessionAnswer> => deps.perform(link, call)
      return {
        peer: link.peer,
        signal: link.signal,
        onImproved: link.onImproved,
        run: (running) => link.run({ ...running, perform }),
        ingest: async (store, intentions) => {
          const answer = await perform({ kind: 'ingest', store, intentions })
          assert(answer.kind === 'ingested', 'an ingest is answered as such')
          return answer.outcomes
        },
      }
    },
  }
}
