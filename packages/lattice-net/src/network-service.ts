/**
 * The network of a node: connections to peers, and every protocol over them, for the stores that are registered.
 *
 * The service owns all that runs: connections are children of its scope, sessions of their connections, so `close` leaves
 * nothing behind. It knows stores as ports and peers as keys; who may use what, each store says.
 *
 * @module
 */
import type { AbortSignal, Lagged, PublicKey, StoreId } from '@lattice/model'
import type { ReplicatedStore } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { connectTo } from './connect-to.ts'
import type { Circle } from './gossip.ts'
import { createJoiner, type JoinRequest } from './join.ts'
import type { ConnectedPresence, NetworkEvent, PeerPresence, SyncOutcome } from './network-event.ts'
import { NetworkCore } from './network-core.ts'
import type { NetworkServiceOptions } from './network-options.ts'
import type { PeerClocks, PeerTime } from './peer-clocks.ts'
import type { PeerLink } from './peer-link.ts'
import { diagnoseExchange, diagnosePeer, type ExchangeDiagnosis, type PeerDiagnosis } from './peer-diagnosis.ts'
import { askRemoval, type RemovalRequest } from './ask-removal.ts'
import { type BootstrapOutcome, type BootstrapRequest, runBootstrap, type RunBootstrapDeps } from './run-bootstrap.ts'
import { runSnapshot, type SnapshotFetch, type SnapshotOutcome } from './run-snapshot.ts'
import type { ClaimedDigest, JoinGrant, PeerHint } from './session-call.ts'
import { syncPeers } from './sync-peers.ts'
import { startUpkeep } from './upkeep.ts'

/** What a joiner asks of an inviter. */
export interface JoinOptions {
  readonly inviter: PublicKey
  /** Where to try to reach it. */
  readonly addresses: readonly string[]
  readonly storeId: StoreId
  /** The token's secret, 32 bytes. */
  readonly secret: Uint8Array
  readonly name: string
  /** Called as the inviter is reached: from then on it is its answer that is waited for. */
  readonly onConnected?: () => void
}

export interface NetworkService extends AsyncDisposable {
  /** This node's key. */
  readonly id: PublicKey
  /** Of the transport: `iroh`, `sim`, … */
  readonly transport: string
  /** Where this node can be reached now. */
  readonly addresses: () => readonly string[]
  /** From now on the store is spoken about with peers that may use it. A store is registered once at a time. */
  readonly register: (store: ReplicatedStore) => void
  /** Cuts the sessions of the store and resolves when they have ended. Idempotent. */
  readonly unregister: (storeId: StoreId) => Promise<void>
  /**
   * Who shares which stores, from data; replaces what was said before. Each circle keeps connections to a few of its peers,
   * to all of them where they are few. Until this is first called, a store is shared by whoever is connected and may use it.
   */
  readonly circles: (circles: readonly Circle[]) => void
  /** After sleep or a change of the network: looks for neighbours anew, and dials without waiting out pauses. */
  readonly rejoin: () => void
  /**
   * Keeps a connection to the peer; addresses replace earlier ones when there are any. Over one that is there already all
   * stores are compared once more.
   */
  readonly want: (peer: PublicKey, addresses: readonly string[]) => void
  /** Dials the peer no more. A connection that is there stays while it is of use. */
  readonly unwant: (peer: PublicKey) => void
  readonly connectedPeers: () => readonly ConnectedPresence[]
  /** Also of peers that are gone, since the start. */
  readonly presence: (peer: PublicKey) => PeerPresence | undefined
  /**
   * What a connected peer last said that it holds of a registered store: in a session, with a push or its answer, in a
   * heartbeat, or as it connected. Undefined when it has said nothing yet.
   */
  readonly peerDigest: (peer: PublicKey, storeId: StoreId) => ClaimedDigest | undefined
  /** What a peer that is not connected said before its last connection ended. */
  readonly pastDigest: (peer: PublicKey, storeId: StoreId) => ClaimedDigest | undefined
  /** What is known of why a peer is not there. */
  readonly diagnosis: (peer: PublicKey) => PeerDiagnosis
  /** How reconciling a store with a peer goes. */
  readonly exchange: (peer: PublicKey, storeId: StoreId) => ExchangeDiagnosis
  /**
   * What connected peers that know the time say it is now: those that share a store with this node, those that one is
   * fetched from, and those that are vouched for. Undefined without any.
   */
  readonly peerTime: () => PeerTime | undefined
  /** The peers have a say about the time until the work settles, as it does: there is a reason to believe them. */
  readonly vouch: PeerClocks['vouch']
  /**
   * Reconciles the store with each connected peer that may use it and yields what came of it, as each ends; with `peers`
   * named, with each of those, dialled where it is not connected. Throws `StoreNotRegistered`, or `signal.reason`.
   */
  readonly sync: (storeId: StoreId, signal: AbortSignal, peers?: readonly PeerHint[]) => AsyncIterable<SyncOutcome>
  /** Redeems a token. Rejects with `PeerRefused` (its code says why), `PeerUnreachable`, or `signal.reason`. */
  readonly join: (options: JoinOptions, signal: AbortSignal) => Promise<JoinGrant>
  /** Fetches a whole store; see {@link runBootstrap}. */
  readonly bootstrap: (request: BootstrapRequest) => Promise<BootstrapOutcome>
  /** Asks by what this node was removed from a store that it was fetching; see {@link askRemoval}. */
  readonly askRemoval: (request: RemovalRequest) => Promise<boolean>
  /** Fetches a store whose history was cut, up to its base; see {@link runSnapshot}. */
  readonly fetchSnapshot: (fetch: SnapshotFetch) => Promise<SnapshotOutcome>
  /** Events from now on; a slow subscriber is told how many it missed. */
  readonly events: (signal: AbortSignal) => AsyncIterable<NetworkEvent | Lagged>
  /** Ends every connection, waits for everything that runs, closes the transport. Idempotent. */
  readonly close: () => Promise<void>
}

/** Starts the network on a transport, which it owns from now on. */
export function createNetworkService(options: NetworkServiceOptions): NetworkService {
  const core = new NetworkCore(options)
  const upkeep = startUpkeep(core, options)
  const { transport } = options
  const fetching = fetchDeps(core, options)
  const heeding = <T>({ peers }: Pick<BootstrapRequest, 'peers'>, fetch: () => Promise<T>): Promise<T> =>
    core.clocks.vouch(
      peers.map(({ peer }) => peer),
      fetch,
    )
  const close = (): Promise<void> => {
    upkeep.close()
    return core.close()
  }
  return {
    id: transport.id,
    transport: transport.name,
    addresses: () => transport.addresses(),
    register: (store) => core.register(store),
    unregister: (storeId) => core.unregister(storeId),
    want: (peer, addresses) => core.want(peer, addresses),
    unwant: core.wishes.uncall,
    circles: (circles) => {
      core.clocks.circles(circles)
      core.gossip.circles(circles)
    },
    rejoin: () => core.rejoin(),
    connectedPeers: () => core.links.all().flatMap((link) => connectedPresence(core, link, transport.name)),
    presence: core.presenceBook.presence,
    peerDigest: core.peerDigests.get,
    pastDigest: core.peerDigests.past,
    diagnosis: (peer) => diagnosePeer(core, peer),
    exchange: (peer, storeId) => diagnoseExchange(core, peer, storeId),
    peerTime: core.clocks.peerTime,
    vouch: core.clocks.vouch,
    sync: (storeId, signal, peers) =>
      syncPeers(core, { storeId, onGuest: upkeep.guest, ...(peers === undefined ? {} : { peers }) }, signal),
    join: (request, signal) => join(core, request, { addresses: transport.addresses(), signal }),
    bootstrap: (request) =>
      heeding(request, () => runBootstrap(request, { ...fetching, reconcile: reconcilerOf(core, request) })),
    askRemoval: (request) =>
      heeding(request, () => askRemoval(request, { ...fetching, self: transport.id, logger: options.logger })),
    fetchSnapshot: (fetch) => heeding(fetch, () => runSnapshot(fetch, fetching)),
    events: core.events.subscribe,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function connectedPresence(core: NetworkCore, link: PeerLink, ownName: string): readonly ConnectedPresence[] {
  const presence = core.presenceBook.presence(link.peer)
  return presence === undefined ? [] : [{ ...presence, path: link.path() ?? ownName }]
}

async function join(
  core: NetworkCore,
  { inviter, addresses, storeId, secret, name, onConnected }: JoinOptions,
  { addresses: own, signal }: { readonly addresses: readonly string[]; readonly signal: AbortSignal },
): Promise<JoinGrant> {
  const link = await connectTo(core, { peer: inviter, addresses }, signal)
  onConnected?.()
  const request: JoinRequest = { storeId, secret, name, addresses: own }
  return link.run({
    protocol: net.Protocol.JOIN,
    machine: createJoiner(request),
    perform: (call) => core.perform(link, call),
    signal,
  })
}

function reconcilerOf(
  { agenda: { runner } }: NetworkCore,
  { isApart }: BootstrapRequest,
): RunBootstrapDeps['reconcile'] {
  return isApart === true ? runner.runApart : runner.run
}

/** What any fetch from several peers needs. */
function fetchDeps(
  core: NetworkCore,
  { crypto, scheduler, clock }: NetworkServiceOptions,
): Omit<RunBootstrapDeps, 'reconcile'> {
  return {
    crypto,
    scheduler,
    nowMs: clock.monotonicMs,
    limits: core.limits,
    connect: (hint, signal) => connectTo(core, hint, signal),
    perform: (link, call, drain) => core.perform(link, call, drain),
    blame: (link, error) => core.blame(link, error),
  }
}
