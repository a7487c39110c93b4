/**
 * Reconciles one store with each of some peers, connected or not, and tells what came of each.
 *
 * Who is not connected is dialled, however long a pause its dials are in, and let go afterwards unless it is wanted. A peer
 * that cannot be reached is an outcome like any other.
 *
 * @module
 */
import type { AbortSignal, StoreId } from '@lattice/model'
import { connectTo } from './connect-to.ts'
import { orAborted } from './deadline.ts'
import { StoreNotRegistered } from './errors.ts'
import { mergeUnordered } from './merge-unordered.ts'
import type { NetworkCore } from './network-core.ts'
import type { SyncOutcome } from './network-event.ts'
import type { PeerLink } from './peer-link.ts'
import type { PeerHint } from './session-call.ts'
import { asLatticeError } from './sync-runner.ts'

export interface SyncPeersRequest {
  readonly storeId: StoreId
  /** All peers that are connected and may use the store when absent. */
  readonly peers?: readonly PeerHint[]
  /** Told of a connection that was made for this. */
  readonly onGuest: (link: PeerLink) => void
}

/** One outcome per peer, as they end, a few at once. Throws {@link StoreNotRegistered}, or `signal.reason`. */
export async function* syncPeers(
  core: NetworkCore,
  request: SyncPeersRequest,
  signal: AbortSignal,
): AsyncIterable<SyncOutcome> {
  signal.throwIfAborted()
  const { storeId } = request
  if (core.stores.get(storeId) === undefined) throw new StoreNotRegistered(storeId)
  const peers = request.peers ?? connectedPeers(core, storeId)
  yield* mergeUnordered(
    peers.map((hint) => () => syncWith(core, { ...request, hint }, signal)),
    core.limits.sessions,
  )
}

function connectedPeers(core: NetworkCore, storeId: StoreId): readonly PeerHint[] {
  return core.links
    .all()
    .filter(({ peer }) => core.stores.resolve(peer, storeId) !== undefined)
    .map(({ peer }) => ({ peer, addresses: [] }))
}

interface SyncWith extends SyncPeersRequest {
  readonly hint: PeerHint
  /** The connection of the attempt before ended under its session. */
  readonly isRetry?: boolean
}

/** A connection that only looks whole would hold a person up for as long as the transport waits: it is asked first. */
async function dropIfDead(core: NetworkCore, { peer }: PeerHint, signal: AbortSignal): Promise<void> {
  const link = core.links.get(peer)
  if (link === undefined) return
  const isAlive = await orAborted(core.showsLife(link, core.limits.answerMs), signal, () => undefined)
  if (!isAlive) await link.close('the peer fell silent')
}

async function syncWith(core: NetworkCore, request: SyncWith, signal: AbortSignal): Promise<SyncOutcome> {
  const { storeId, hint, peers, onGuest, isRetry = false } = request
  const { peer } = hint
  if (peers !== undefined) await dropIfDead(core, hint, signal)
  const isConnected = core.links.get(peer) !== undefined
  let link: PeerLink
  try {
    link = await connectTo(core, hint, signal)
  } catch (error) {
    signal.throwIfAborted()
    return { kind: 'failed', peer, storeId, error: asLatticeError(error), unreached: true }
  }
  if (!isConnected) onGuest(link)
  // It may have been closed, or the peer left out, while the connection was made.
  const store = core.stores.resolve(peer, storeId)
  if (store === undefined) return { kind: 'failed', peer, storeId, error: new StoreNotRegistered(storeId) }
  const outcome = await core.agenda.runner.run(link, store, signal)
  // Its last path may be given up in the middle of a session: whether the peer is there, another dial says.
  const isCut = outcome.kind === 'failed' && link.signal.aborted && peers !== undefined && !isRetry
  return isCut ? syncWith(core, { ...request, isRetry: true }, signal) : outcome
}
