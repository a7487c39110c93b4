/**
 * What a node is to those who use it: the runtime, the interfaces and applications.
 *
 * @module
 */
import type { ScrubOptions } from '@lattice/kernel'
import type {
  AbortSignal,
  Clock,
  Crypto,
  KeyPair,
  Lagged,
  Logger,
  PublicKey,
  Random,
  Scheduler,
  StoreId,
  StoreType,
  Verifier,
} from '@lattice/model'
import type { NetworkChange, NetworkLimits } from '@lattice/net'
import type { Discovery, HostNetwork, Transport } from '@lattice/net-types'
import type { FileCheck, FileWork, StorageHooks } from '@lattice/storage'
import type { StateMachine } from '@lattice/store-base'
import type { NodeEvent } from './node-events.ts'
import type { StoreSummary, StoreHandle } from './store-types.ts'

export interface NodeOptions {
  /** Created when absent. */
  readonly dataDir: string
  /** What opens stores of a type. A store of another type replicates without being readable. */
  readonly openers: ReadonlyMap<StoreType, () => StateMachine>
  /** Makes the node's transport, for its key. The node closes it. Absent: the node stays alone. */
  readonly openTransport?: (keyPair: KeyPair) => Transport | Promise<Transport>
  /** Makes what finds the node's peers, where it has a transport. The node closes it. */
  readonly openDiscovery?: (keyPair: KeyPair) => Discovery
  readonly clock: Clock
  readonly random: Random
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly crypto: Crypto
  /** Verifies the signatures of what arrives, for all stores; whoever gives it closes it. Absent: in place. */
  readonly verifier?: Verifier
  /** The name a node gets that has none yet. */
  readonly name?: string
  /** What machine it runs on, told to the peers of its stores: `linux x64`. */
  readonly device?: string
  /** Shown to whoever finds the data directory taken; 0 for unknown. */
  readonly pid?: number
  readonly networkLimits?: Partial<NetworkLimits>
  /** Where this machine is: a change has connections looked at anew. */
  readonly hostNetwork?: HostNetwork
  /** Told when this machine slept, moved, or had its clock set, and where the node can be reached now. */
  readonly onNetworkChanged?: (change: NetworkChange) => void
  /** Has every log read through in the background. */
  readonly scrub?: ScrubOptions
  /** How SQLite's own structure is looked at; in a thread unless told otherwise. */
  readonly fileCheck?: FileCheck
  /** How files of stores are copied and made durable; in threads unless told otherwise. */
  readonly fileWork?: FileWork
  /** See `KernelOptions`. */
  readonly ackDelayMs?: number
  /** Fault injection for tests. */
  readonly storageHooks?: StorageHooks
  /** What runs, for people to be told. */
  readonly about?: NodeAbout
}

/** The program that a node is part of. */
export interface NodeAbout {
  readonly version: string
  /** With its version: `Node.js 24.1.0`. */
  readonly runtime: string
  /** `wasm` or `native`. */
  readonly crypto: string
}

/** What a person may say of a store or a peer, and what to do about it. */
export interface Finding {
  readonly severity: 'ok' | 'info' | 'warning' | 'problem'
  /** Stable, in snake_case: `no_route`. */
  readonly code: string
  /** What is so, as one sentence. */
  readonly what: string
  /** What to do about it; empty when there is nothing to do. */
  readonly remedy: string
  readonly store: { readonly id: StoreId; readonly path: string } | undefined
  readonly peer: { readonly publicKey: PublicKey; readonly name: string } | undefined
  /** Facts to act on. */
  readonly detail: Readonly<Record<string, unknown>>
}

export interface WhyOptions {
  /** Every store when absent. */
  readonly store?: StoreId
  /** A public key, a unique prefix of its hex, or a name; every peer when absent. */
  readonly peer?: string
}

export interface BackupOptions {
  /** Absolute. Created when absent; anything in it is refused. */
  readonly directory: string
  readonly withoutIdentity?: boolean
  readonly onProgress?: (progress: BackupProgress) => void
  readonly signal?: AbortSignal
}

export interface BackupProgress {
  /** `meta.db`, or the path of a store. */
  readonly part: string
  /** Bytes, over all parts. */
  readonly done: number
  readonly total: number
}

export interface BackupResult {
  readonly directory: string
  readonly stores: number
  readonly bytes: number
  readonly withIdentity: boolean
  /** Stores that are not in it, or as damaged as they are here, each as a sentence. */
  readonly leftOut: readonly string[]
}

export interface CreateStoreOptions {
  readonly name?: string
  /** When absent, `core:rootstore` for a root where there is an opener for it, else `core:kvstore`. */
  readonly storeType?: string
  /** Makes a child of this store. */
  readonly parent?: StoreId
  /**
   * Whose peers a child has: the parent's, live (when absent); its own, who are invited to it; or the parent's as they
   * are now, and its own from then on.
   */
  readonly strategy?: 'inherited' | 'independent' | 'snapshot'
}

export type JoinStage = 'connecting' | 'redeeming' | 'bootstrapping'

export type JoinProgress =
  | { readonly kind: 'stage'; readonly stage: JoinStage }
  | { readonly kind: 'bootstrap'; readonly storeId: StoreId; readonly done: number; readonly total: number }

export interface JoinOptions {
  readonly onProgress?: (progress: JoinProgress) => void
  /** Stops waiting. What was admitted goes on in the background. */
  readonly signal?: AbortSignal
}

export interface ConnectedPeer {
  readonly publicKey: PublicKey
  /** Milliseconds since the Unix epoch. */
  readonly connectedAt: number
  /** Name of the transport in use: `tls`, `iroh`, … */
  readonly path: string
}

/** What is known of this node's clock. */
export interface ClockStatus {
  /**
   * `ahead` of the peers by more than half the drift that is accepted: beyond all of it, writes are refused. `behind`
   * what is witnessed, so wrong beyond doubt: the node goes by what its peers say.
   */
  readonly verdict: 'good' | 'ahead' | 'behind'
  /** How far it is ahead of the median of the peers that have a say; negative when behind, undefined when none says. */
  readonly aheadMs: number | undefined
}

export interface NodeNetwork {
  readonly connectedPeers: () => readonly ConnectedPeer[]
  readonly addresses: () => readonly string[]
  readonly clock: () => ClockStatus
}

/** A running node. One owner; closed once. */
export interface Node extends AsyncDisposable {
  readonly id: PublicKey
  /** Absolute. */
  readonly dataDir: string
  readonly name: () => string
  /** Kept here, and told to the peers of every store in which this node is one. */
  readonly setName: (name: string) => Promise<void>
  readonly storeTypes: () => readonly StoreType[]
  /** Roots in order of creation, each followed by its children. */
  readonly stores: () => readonly StoreSummary[]
  /**
   * The store that `reference` means: an id, a prefix of it of 4 or more hex digits, a name, or a path such as
   * `team/notes`. Throws `STORE_NOT_FOUND` or `STORE_AMBIGUOUS`.
   */
  readonly store: (reference: string | StoreId) => StoreHandle
  /** Resolves once the store is durable, named and open. */
  readonly createStore: (options?: CreateStoreOptions) => Promise<StoreHandle>
  /** Resolves once the store is live here. A refused token leaves nothing behind. */
  readonly join: (token: string, options?: JoinOptions) => Promise<StoreHandle>
  readonly network: NodeNetwork
  /** What is missing, at whom, and why; the gravest first. Rejects with `PEER_NOT_FOUND` or `STORE_NOT_FOUND`. */
  readonly why: (options?: WhyOptions) => Promise<readonly Finding[]>
  /** How the node and its stores are, what is well included. */
  readonly diagnose: () => Promise<readonly Finding[]>
  /**
   * Copies everything while the node runs. Rejects with `INVALID_ARGUMENT`, `DATA_DIR_UNUSABLE`, `DISK_FULL`,
   * `STORAGE_FAILED`, or `signal.reason`; nothing is left then of what was made.
   */
  readonly backup: (options: BackupOptions) => Promise<BackupResult>
  /** Events from this call on. */
  readonly events: (signal: AbortSignal) => AsyncIterable<NodeEvent | Lagged>
  /** Stops accepting, tries a last sync for at most 5 s, closes everything. Idempotent. */
  readonly close: () => Promise<void>
}
