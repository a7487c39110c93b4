/**
 * Takes in what the network tells: who comes and goes, what exchanges ended with, where peers are.
 *
 * @module
 */
import { type AbortSignal, isLagged, isLatticeError } from '@lattice/model'
import type { NetworkEvent, NetworkService } from '@lattice/net'
import type { LagWatch } from './lag-watch.ts'
import type { NodeClock } from './node-clock.ts'
import type { NodeContext } from './node-context.ts'
import type { PeerLinks } from './peer-links.ts'
import { toFailure } from './failure.ts'
import type { ReturningStores } from './returning-stores.ts'
import type { StoreManager } from './store-manager.ts'
import { noteCompared } from './write-hold.ts'

export interface NetworkFollower {
  readonly manager: StoreManager
  readonly links: PeerLinks
  readonly nodeClock: NodeClock
  readonly lags: Pick<LagWatch, 'moved'>
  readonly returning: ReturningStores
}

/** Runs until the network closes or `signal` aborts. */
export async function followNetwork(
  context: NodeContext,
  follower: NetworkFollower,
  { network, signal }: { readonly network: NetworkService; readonly signal: AbortSignal },
): Promise<void> {
  for await (const event of network.events(signal)) {
    if (isLagged(event)) context.logger.warn('network.events_lagged', { ...event })
    else tryToTakeIn(context, follower, event)
  }
}

/** What cannot be kept, because the disk is full, is told again with the next connection; the events go on. */
function tryToTakeIn(context: NodeContext, follower: NetworkFollower, event: NetworkEvent): void {
  try {
    takeIn(context, follower, event)
  } catch (error) {
    if (!isLatticeError(error)) throw error
    context.logger.warn('network.event_not_kept', { kind: event.kind, ...toFailure(error) })
  }
}

function takeIn(context: NodeContext, follower: NetworkFollower, event: NetworkEvent): void {
  const { manager, links, nodeClock, lags, returning } = follower
  nodeClock.review()
  switch (event.kind) {
    case 'peer_connected':
      manager.greet(event.peer)
      lags.moved()
      return
    case 'peer_disconnected':
      lags.moved()
      return
    case 'peer_online':
      context.publish({ kind: 'peer_online', peer: event.peer })
      lags.moved()
      return
    case 'peer_offline':
      context.publish({ kind: 'peer_offline', peer: event.peer })
      lags.moved()
      return
    case 'sync_result':
      if (event.outcome.kind === 'done') {
        const { storeId, peer, synced } = event.outcome
        if (synced) noteCompared(context, storeId, peer)
        else returning.differs(storeId, peer)
      } else if (event.outcome.error.code === 'BASE_UNKNOWN') {
        returning.unknown(event.outcome.storeId, event.outcome.peer)
      }
      manager.noteSync(event.outcome)
      context.publish({ kind: 'sync_result', outcome: event.outcome })
      lags.moved(event.outcome.storeId)
      return
    case 'addresses_learned':
      links.learn(event.peer, event.addresses)
      return
    case 'clock_skew':
      // Reviewed above, with what is known here beside.
      return
    case 'revoked':
      context.logger.warn('store.revoked', { storeId: event.storeId, peer: event.peer, held: event.held })
      return
    case 'returning':
      returning.told(event.storeId, event.peer)
      return
    case 'misbehaviour':
      context.logger.warn('peer.misbehaves', { peer: event.peer, code: event.code, reason: event.message })
  }
}
