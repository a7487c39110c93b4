/**
 * Takes in what the network tells: who comes and goes, what exchanges ended with, where peers are.
 *
 * @module
 */
import { type AbortSignal, isLagged } from '@lattice/model'
import type { NetworkEvent, NetworkService } from '@lattice/net'
import type { NodeContext } from './node-context.ts'
import type { PeerLinks } from './peer-links.ts'
import type { StoreManager } from './store-manager.ts'
import type { SyncTracker } from './sync-tracker.ts'

export interface NetworkFollower {
  readonly manager: StoreManager
  readonly links: PeerLinks
  readonly tracker: SyncTracker
  readonly onClockSkew: (skewed: boolean) => void
}

/** Runs until the network closes or `signal` aborts. */
export async function followNetwork(
  context: NodeContext,
  follower: NetworkFollower,
  { network, signal }: { readonly network: NetworkService; readonly signal: AbortSignal },
): Promise<void> {
  for await (const event of network.events(signal)) {
    if (isLagged(event)) context.logger.warn('network.events_lagged', { ...event })
    else takeIn(context, follower, event)
  }
}

function takeIn(
  context: NodeContext,
  { manager, links, tracker, onClockSkew }: NetworkFollower,
  event: NetworkEvent,
): void {
  switch (event.kind) {
    case 'peer_online':
      context.publish({ kind: 'peer_online', peer: event.peer })
      manager.nudge()
      return
    case 'peer_offline':
      tracker.forgetPeer(event.peer)
      context.publish({ kind: 'peer_offline', peer: event.peer })
      return
    case 'sync_result': {
      const { outcome } = event
      const synced = outcome.kind === 'done' && outcome.synced
      const fingerprint = manager.entry(outcome.storeId)?.open?.kernel.digest().fingerprint
      tracker.ended(outcome.storeId, outcome.peer, synced ? fingerprint : undefined)
      context.publish({ kind: 'sync_result', outcome })
      return
    }
    case 'addresses_learned':
      links.learn(event.peer, event.addresses)
      return
    case 'clock_skew':
      onClockSkew(event.skewed)
      context.publish({ kind: 'clock_skew', aheadMs: event.aheadMs })
      return
    case 'misbehaviour':
      context.logger.warn('peer.misbehaves', { peer: event.peer, code: event.code, reason: event.message })
  }
}
