/**
 * The gossip port: how what was just witnessed reaches others at once.
 *
 * Gossip may lose, duplicate and reorder; it may not be silent about a loss it knows of. Whatever it cannot deliver it
 * reports, and the store is reconciled with that peer instead. So a membership-based broadcast can take the place of the
 * direct push without anything above noticing.
 *
 * @module
 */
import type { AbortSignal, IngestOutcome, PublicKey, StoreId } from '@lattice/model'
import type { ReplicatedStore, WitnessedBatch } from '@lattice/net-types'
import type { net } from '@lattice/proto'
import type { ClaimedDigest, SessionStore } from './session-call.ts'
import type { SessionMachine } from './session.ts'

/** A connection as gossip uses it. */
export interface GossipLink {
  readonly peer: PublicKey
  /** Aborts when the connection ends. */
  readonly signal: AbortSignal
  /** Opens a stream and runs a machine on it; `drive` hands in effects of events from outside. */
  readonly run: <Outcome>(
    protocol: net.Protocol,
    machine: SessionMachine<Outcome>,
    onReady: (drive: (effects: ReturnType<SessionMachine<Outcome>['start']>) => void) => void,
  ) => Promise<Outcome>
}

/** Why a store should be reconciled with a peer. */
export type SyncReason =
  /** Something is known to be lacking there or here. */
  | 'gap'
  /** The digests differ although nothing is under way. */
  | 'differs'
  /** What was to be pushed was dropped. */
  | 'overflow'

/** What gossip is given. */
export interface GossipDeps {
  /** Asks for a reconcile session with the peer; repeated calls are one. */
  readonly requestSync: (peer: PublicKey, storeId: StoreId, reason: SyncReason) => void
  /** The peer said what it holds of a store that it may use. */
  readonly onDigest: (peer: PublicKey, storeId: StoreId, digest: ClaimedDigest) => void
  /** The peer answers that it has no such store, or not for us. */
  readonly onUnshared: (peer: PublicKey, storeId: StoreId) => void
  /** The store as the peer may use it; undefined for any other. */
  readonly resolve: (peer: PublicKey, storeId: Uint8Array) => SessionStore | undefined
}

export interface Gossip {
  /** Hands a batch on to every linked peer that may have it, but its source. Never waits. */
  readonly publish: (store: ReplicatedStore, batch: WitnessedBatch) => void
  /** Serves one connection until its signal aborts. */
  readonly link: (link: GossipLink) => Promise<void>
  /** The machine for a stream the peer opened for gossip. */
  readonly accept: (peer: PublicKey) => SessionMachine<void>
  /** Told what became of pushed intentions, to notice gaps. */
  readonly pushed: (push: PushedIntentions) => void
  /** While a reconcile session runs, pushes of the store wait. */
  readonly hold: (peer: PublicKey, storeId: StoreId) => void
  readonly release: (peer: PublicKey, storeId: StoreId) => void
}

export interface PushedIntentions {
  readonly peer: PublicKey
  readonly store: SessionStore
  readonly outcomes: readonly IngestOutcome[]
  /** The sender's digest after them; undefined inside a batch. */
  readonly claim: ClaimedDigest | undefined
}

export type GossipFactory = (deps: GossipDeps) => Gossip
