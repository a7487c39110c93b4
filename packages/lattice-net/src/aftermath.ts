/**
 * What the end of sessions leads to beside their repetition: who is behind is called, and who was refused for having been
 * removed asks by what.
 *
 * @module
 */
import type { PublicKey, StoreId } from '@lattice/model'
import { createBehindPeers } from './behind-peers.ts'
import { BasesDiffer } from './errors.ts'
import type { SyncReason } from './gossip.ts'
import type { NetworkLimits } from './limits.ts'
import type { LinkTable } from './link-table.ts'
import type { NetworkEvent, SyncOutcome } from './network-event.ts'
import type { NetworkServiceOptions } from './network-options.ts'
import type { PeerDigests } from './peer-digests.ts'
import type { PeerLink } from './peer-link.ts'
import { createRevocationRunner, type RevocationRunner } from './run-revocation.ts'
import type { SessionAnswer, SessionCall } from './session-call.ts'
import type { SessionSlots } from './session-slots.ts'
import type { StoreRegistry } from './store-registry.ts'

export interface AftermathDeps {
  readonly options: Pick<NetworkServiceOptions, 'transport' | 'clock' | 'logger' | 'scheduler' | 'random'>
  readonly limits: NetworkLimits
  readonly stores: StoreRegistry
  readonly links: () => Pick<LinkTable, 'get' | 'all'>
  readonly slots: Pick<SessionSlots, 'ofStore'>
  readonly peerDigests: Pick<PeerDigests, 'get'>
  readonly perform: (link: PeerLink, call: SessionCall) => Promise<SessionAnswer>
  readonly publish: (event: NetworkEvent) => void
  readonly requestSync: (peer: PublicKey, storeId: StoreId, reason: SyncReason) => void
}

export interface Aftermath {
  /** To be told of each session's end, once it is under way no more. */
  readonly ended: (outcome: SyncOutcome) => void
  /** To be told of what peers say about removals. */
  readonly revocations: RevocationRunner
  readonly forgetStore: (storeId: StoreId) => void
  readonly close: () => void
}

export function createAftermath(deps: AftermathDeps): Aftermath {
  const { options, limits, stores, links, slots, peerDigests, perform, publish, requestSync } = deps
  const behind = createBehindPeers({
    scheduler: options.scheduler,
    limits,
    slots,
    stores,
    connected: () =>
      links()
        .all()
        .map(({ peer }) => peer),
    peerDigests,
    request: (peer, storeId) => requestSync(peer, storeId, 'differs'),
  })
  const revocations = createRevocationRunner({
    self: options.transport.id,
    logger: options.logger,
    stores,
    link: (peer) => links().get(peer),
    nowMs: options.clock.monotonicMs,
    scheduler: options.scheduler,
    random: options.random,
    limits,
    perform,
    publish,
  })
  return {
    ended: (outcome) => {
      behind.ended(outcome)
      if (outcome.kind !== 'failed') return
      const { peer, storeId, error } = outcome
      if (error.code === 'REVOKED') revocations.told(peer, storeId)
      const isReturning = error instanceof BasesDiffer && error.detail.returning === 'us'
      if (isReturning && error.base !== undefined) publish({ kind: 'returning', storeId, peer, base: error.base })
    },
    revocations,
    forgetStore: behind.forgetStore,
    close: behind.close,
  }
}
