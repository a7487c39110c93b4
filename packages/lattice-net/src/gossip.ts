/**
 * The gossip port: how what was just witnessed reaches others at once, and whom a node stays connected to for it.
 *
 * Gossip may lose, duplicate and reorder; it may not be silent about a loss it knows of. Whatever it cannot deliver it
 * reports, and the store is reconciled with that peer instead.
 *
 * @module
 */
import type {
  AbortSignal,
  Cancel,
  Crypto,
  IdKey,
  IngestOutcome,
  PublicKey,
  Random,
  Scheduler,
  SignedIntention,
  StoreId,
} from '@lattice/model'
import type { ReplicatedStore, WitnessedBatch } from '@lattice/net-types'
import type { ArrivedRun } from './gossip/gossip-run.ts'
import type { NetworkLimits } from './limits.ts'
import type { RunOptions } from './peer-link.ts'
import type { ClaimedDigest, PeerHint, SessionStore } from './session-call.ts'
import type { SessionMachine } from './session.ts'
import type { StoreRegistry } from './store-registry.ts'

/** A connection as gossip uses it. */
export interface GossipLink {
  readonly peer: PublicKey
  /** Aborts when the connection ends. */
  readonly signal: AbortSignal
  /** Calls the listener when new streams go a better way from now on. */
  readonly onImproved: (listener: () => void) => Cancel
  /** Opens a stream and runs a machine on it; `drive` hands in effects of events from outside. */
  readonly run: <Outcome>(options: Omit<RunOptions<Outcome>, 'perform'>) => Promise<Outcome>
  /** Ingests into the store what the peer sent, and counts what is invalid against it. */
  readonly ingest: (store: SessionStore, intentions: readonly SignedIntention[]) => Promise<readonly IngestOutcome[]>
}

/** Why a store should be reconciled with a peer. */
export type SyncReason =
  /** Something is known to be lacking there or here. */
  | 'gap'
  /** The digests have differed for long although nothing is under way. */
  | 'differs'
  /** What was to be pushed was dropped, or is too much to be pushed. */
  | 'overflow'

/** The peers that one peer table holds, and the stores they share. */
export interface Circle {
  /** The store whose table it is. */
  readonly owner: StoreId
  /** Itself may be among them. */
  readonly peers: readonly PublicKey[]
  readonly stores: readonly StoreId[]
}

/** What gossip is given. */
export interface GossipDeps {
  readonly self: PublicKey
  readonly crypto: Crypto
  readonly scheduler: Scheduler
  readonly random: Random
  readonly nowMs: () => number
  readonly limits: NetworkLimits
  readonly stores: Pick<StoreRegistry, 'get' | 'resolve' | 'sharedWith' | 'refusal'>
  /** Asks for a reconcile session with the peer; repeated calls are one. */
  readonly requestSync: (peer: PublicKey, storeId: StoreId, reason: SyncReason) => void
  /** The peer said what it holds of a store that it may use. */
  readonly onDigest: (peer: PublicKey, storeId: StoreId, digest: ClaimedDigest) => void
  /** What the peer last said. */
  readonly peerDigest: (peer: PublicKey, storeId: StoreId) => ClaimedDigest | undefined
  /** The peer answers that it has no such store, or not for us. */
  readonly onUnshared: (peer: PublicKey, storeId: StoreId) => void
  /** The peer answers that this node was removed from the store. */
  readonly onRevoked: (peer: PublicKey, storeId: StoreId) => void
  /** The peer takes no part in a circle that both are in as this node sees it, or not with us. Said as often as it is found. */
  readonly onStranger: (peer: PublicKey) => void
  /** Where peers may be reached, and who of them is dialled. */
  readonly connector: NeighborConnector
}

export interface Gossip {
  /** Hands on what a store witnessed to those that may have it. Never waits. */
  readonly publish: (store: ReplicatedStore, batch: WitnessedBatch) => void
  /** The history of a store was cut: its digest is another. */
  readonly rebased: (storeId: StoreId) => void
  /** Serves one connection until its signal aborts. */
  readonly link: (link: GossipLink) => Promise<void>
  /** What to do on a stream the peer opened for gossip. */
  readonly accept: (peer: PublicKey) => SessionMachine<void>
  /** Takes in a run that a peer pushed or announced. */
  readonly take: (link: GossipLink, store: SessionStore, arrived: ArrivedRun) => Promise<readonly IngestOutcome[]>
  /** While a reconcile session runs, runs of the store wait. */
  readonly hold: (peer: PublicKey, storeId: StoreId) => void
  readonly release: (peer: PublicKey, storeId: StoreId) => void
  /** Tells a connected peer soon what these stores add up to: what its connection began with did not. */
  readonly tell: (peer: PublicKey, storeIds: readonly StoreId[]) => void
  readonly registered: (storeId: StoreId) => void
  readonly unregistered: (storeId: StoreId) => void
  /** Who shares what, from data; replaces what was said before. Until then each store is shared by whoever is connected. */
  readonly circles: (circles: readonly Circle[]) => void
  /** A dial for the sake of a neighbour came to nothing. */
  readonly dialFailed: (peer: PublicKey) => void
  /** True while the peer is a neighbour, or is about to be. */
  readonly needs: (peer: PublicKey) => boolean
  /** After sleep, or a change of the network: looks for neighbours anew. */
  readonly rejoin: () => void
  readonly close: () => void
}

/** How gossip has peers connected. */
export interface NeighborConnector {
  readonly isConnected: (peer: PublicKey) => boolean
  /** Dials the peer for the sake of the topic; the end is told by a link, or by `dialFailed`. */
  readonly want: (peer: PublicKey, topic: IdKey) => void
  /** The topic has no use for a dial any more. */
  readonly unwant: (peer: PublicKey, topic: IdKey) => void
  readonly addresses: (peer: PublicKey) => readonly string[]
  /** Others say that the peer may be reached there. */
  readonly heard: (hint: PeerHint) => void
}

export type GossipFactory = (deps: GossipDeps) => Gossip
