/**
 * What a store of a node is to those who use it: its handle, what is shown of it, and what can be done with it.
 *
 * @module
 */
import type {
  AuthorLag,
  EpochPage,
  EpochPageOptions,
  EpochStatus,
  Kernel,
  KernelStats,
  Observations,
  ProjectionStatus,
  StateSummary,
  VerifyOptions,
  VerifyReport,
} from '@lattice/kernel'
import type { AbortSignal, Hash, IntentionId, PublicKey, SExpr, StoreId, StoreType, UniversalOp } from '@lattice/model'
import type { PeerStanding } from '@lattice/net'
import type { system } from '@lattice/proto'
import type { ExcludedPage, ExcludedPageOptions } from './excluded-page.ts'
import type { StoreFailure } from './failure-types.ts'
import type { HistoryActs, StrandedActs } from './history/history-types.ts'

export type { StoreFailure } from './failure-types.ts'
import type { AnyService, Client, Executor, MachineDescription } from '@lattice/store-base'

/**
 * `creating` and `bootstrapping` go on by themselves, after a restart too. `failed`: did not open; `error`
 * says why, and whether it is tried again. `revoked`: this node was removed from the store; what it has is there to be read.
 */
export type StoreState =
  | 'creating'
  | 'bootstrapping'
  | 'active'
  | 'revoked'
  | 'left'
  | 'archived'
  | 'destroyed'
  | 'failed'

export interface StoreSummary {
  readonly id: StoreId
  /** Empty while it is not known. */
  readonly storeType: string
  /** A root's own name; a child's alias in its parent. May be empty. */
  readonly name: string
  readonly parentId: StoreId | undefined
  readonly state: StoreState
  /** Names from the root down, such as `team/notes`; short ids stand in for names that are empty. */
  readonly path: string
  readonly error: StoreFailure | undefined
  /** Open without an opener for its type: it is received, kept and served, its app data unread. */
  readonly headless: boolean
  /** Its log is on this node. */
  readonly hasData: boolean
  /** Of a destroyed store: the peers that write and have not acknowledged it; its data goes once there is none. */
  readonly awaiting: readonly PublicKey[]
}

export interface StoreStatus {
  readonly summary: StoreSummary
  readonly stats: KernelStats
  /** Chain hash of the last witness record. */
  readonly witnessHead: Hash
  readonly fingerprint: Uint8Array
  readonly projection: ProjectionStatus
  readonly logBytes: number
  readonly stateBytes: number
  /** Of the states at epochs that are kept. */
  readonly snapshotBytes: number
  /** `independent`, `inherited` or `snapshot`. */
  readonly strategy: string
  readonly peers: number
  /** With this node, and those that are no neighbours and were visited of late. */
  readonly peersOnline: number
  /** Without this node. */
  readonly peersConnected: number
  /** Connected peers whose last digest equals the present one here, and those whose last digest differs; of others none is known. */
  readonly peersSynced: number
  readonly peersDiffering: number
  /** A peer of this store is connected, and the last digest of every such peer equals the present one here. */
  readonly synced: boolean
  /** Why this node does not write to the store yet; undefined when it may. */
  readonly held: string | undefined
  /** Intentions that every peer that writes has seen, by what it wrote itself. */
  readonly stable: number
  /** Peers that write and have not shown to have seen everything here. */
  readonly peersLagging: number
  /** Authors that forked and have not joined the branches. */
  readonly openForks: number
  /** The newest epoch that counts, while somebody who has to has not acknowledged it. */
  readonly unsettled: EpochStatus | undefined
  /** False where no opener of the store's type is installed: it replicates, unread. */
  readonly readable: boolean
}

/** How a peer's last digest of a store compares with the present one here. */
export type PeerSync = 'synced' | 'differs' | 'unknown'

/**
 * What came of reconciling a store with a peer at a person's wish. `differs`: a session was held, and digests are not equal
 * yet. `inactive`: the peer takes no part, or is away by agreement and was not reached.
 */
export type PeerSyncResult = 'synced' | 'differs' | 'failed' | 'unreachable' | 'muted' | 'refused' | 'inactive'

export interface PeerSyncReport {
  readonly storeId: StoreId
  readonly peer: PublicKey
  /** As the store knows it; empty where it has none. */
  readonly name: string
  readonly result: PeerSyncResult
  readonly sent: number
  readonly received: number
  /** Why it is not synced; undefined where a session was held to its end. */
  readonly failure: StoreFailure | undefined
}

export interface PeerEntry {
  readonly publicKey: PublicKey
  readonly name: string
  readonly status: system.PeerStatus
  readonly role: system.Role
  /** Heard of of late: over its connection, or as it was visited. */
  readonly online: boolean
  readonly connected: boolean
  readonly self: boolean
  /** Milliseconds since the Unix epoch; 0 for the creator. */
  readonly addedAt: number
  readonly addedBy: PublicKey | undefined
  /** When it was heard of, or wrote what is here, in milliseconds since the Unix epoch; 0 for neither. */
  readonly lastSeen: number
  /** It wrote two intentions after the same one: a backup was restored, or its key is used twice. */
  readonly forked: boolean
  /** Forked, and a later write of its own has joined the branches. */
  readonly forkJoined: boolean
  /** `synced` with this node by equal digests; of one that is not connected, those of its last visit while it is online. */
  readonly sync: PeerSync
  /**
   * Intentions here that it has not shown to have seen, by what it wrote itself: none where digests are equal. Undefined
   * for a peer that writes nothing here, and for this node.
   */
  readonly lag: AuthorLag | undefined
  /** How this node holds it to its bounds; undefined for this node, and without a network. */
  readonly conduct: PeerConduct | undefined
}

export interface PeerConduct extends PeerStanding {
  /** Milliseconds for which it is still shut out. */
  readonly mutedForMs: number
  /** Code of what it broke last. */
  readonly misbehaviour: string | undefined
}

export interface InviteEntry {
  readonly tokenHash: Hash
  readonly status: system.InviteStatus
  readonly role: system.Role
  readonly expiresAt: number
  readonly usesLeft: number
  readonly invitedBy: PublicKey | undefined
  readonly claimedBy: readonly PublicKey[]
}

/** One entry of the system table, decoded for a person. */
export interface SystemTableEntry {
  readonly key: string
  readonly value: string
  readonly raw: Uint8Array
  readonly conflicted: boolean
}

export interface InviteOptions {
  /** `WRITER` when absent. */
  readonly role?: system.Role
  /** A day when absent. */
  readonly expiresInMs?: number
  /** One when absent. */
  readonly uses?: number
}

export interface Invitation {
  /** `lattice1…` */
  readonly token: string
  readonly tokenHash: Hash
  readonly expiresAt: number
}

/** Acts of a store's life, see 04. Each resolves once it is durable here; what others do about it follows. */
export interface StoreActs {
  /** Closes a child on every node and keeps its data. Rejects with `WRONG_STATE` or `NOT_ADMIN`. */
  readonly archive: () => Promise<void>
  readonly unarchive: () => Promise<void>
  /** Ends an archived child, or a root, for everybody. Rejects with `WRONG_STATE` or `NOT_ADMIN`. */
  readonly destroy: () => Promise<void>
  /**
   * Stops replicating and closes the store with its children; data stays. Rejects with `NOT_REPLICATED` where no other
   * peer is known to hold everything, unless forced, and with `WRONG_STATE`.
   */
  readonly leave: (options?: { readonly force?: boolean; readonly signal?: AbortSignal }) => Promise<void>
  /** Takes part again, from local data. Rejects with `WRONG_STATE`, or `NOT_ADMITTED` where it is no peer any more. */
  readonly rejoin: () => Promise<void>
  /**
   * Removes the data of the store and of those below it. Rejects with `NOT_CONFIRMED` unless `confirmed`, with
   * `WRONG_STATE` unless it was left, archived or destroyed, and with `NOT_REPLICATED` where no other peer is known to
   * hold everything, unless forced.
   */
  readonly deleteData: (options?: { readonly confirmed?: boolean; readonly force?: boolean }) => Promise<{
    readonly bytes: number
    readonly stores: number
  }>
}

/** What became of a peer whose rights were taken, and the epoch that took them. */
export interface PeerRemoval {
  readonly peer: PeerEntry
  readonly epoch: EpochStatus
}

export interface SelfRemovalOptions {
  /** Although nobody is connected who would learn of it. */
  readonly force?: boolean
  readonly signal?: AbortSignal
}

/**
 * Changes of a store's peers and invites. A peer is named by its key, a unique prefix of its hex, or its name. All but the
 * own name reject with `NOT_SUPPORTED` where the store inherits its peers; the own name goes to where they are.
 */
export interface PeerActs {
  /** By a unique prefix of the token hash. Rejects with `INVITE_NOT_FOUND`, `WRONG_STATE` or `NOT_ADMIN`. */
  readonly cancelInvite: (prefix: string) => Promise<InviteEntry>
  /** A weaker role is made by an epoch, and rejects with `WRONG_STATE` where no admin would be left. The same is no change. */
  readonly setPeerRole: (peer: string, role: system.Role) => Promise<PeerEntry>
  /**
   * Removes another peer by an epoch, which is durable here when it resolves; who has to acknowledge it is in the answer.
   * Rejects with `NOT_ADMIN` or `WRONG_STATE`.
   */
  readonly revokePeer: (peer: string) => Promise<PeerRemoval>
  /**
   * Removes this node, with all it wrote before, and leaves the store. Rejects with `NOT_REPLICATED` while no peer is
   * connected to learn of it, unless forced, and with `WRONG_STATE` where no other admin is there.
   */
  readonly revokeSelf: (options?: SelfRemovalOptions) => Promise<PeerRemoval>
  /** ACTIVE or DORMANT, of a peer that is admitted; not DORMANT of this node. */
  readonly setPeerStatus: (peer: string, status: system.PeerStatus) => Promise<PeerEntry>
  /** This node when `peer` is empty; of another, an admin may. Stands in this store until the node gets another name. */
  readonly setPeerName: (peer: string, name: string) => Promise<PeerEntry>
}

/** A store of this node. Stays valid while the node is open; methods reject once the store is not open. */
export interface StoreHandle extends Executor, StoreActs, PeerActs, HistoryActs, StrandedActs {
  readonly id: StoreId
  readonly storeType: () => string
  readonly name: () => string
  readonly summary: () => StoreSummary
  readonly state: () => StoreState
  /** The store's kernel. Throws when the store is not open. */
  readonly kernel: () => Kernel
  readonly status: () => StoreStatus
  /** The digest and counts of all rows, read over many turns. */
  readonly stateSummary: () => Promise<StateSummary>
  readonly setName: (name: string) => Promise<void>
  readonly invite: (options?: InviteOptions) => Promise<Invitation>
  readonly invites: () => readonly InviteEntry[]
  /** The peers that count for this store: with inherited peers, the parent's. */
  readonly peers: () => readonly PeerEntry[]
  readonly systemEntries: () => readonly SystemTableEntry[]
  /**
   * Epochs, those that count first and the newest of them, then those without effect. Throws `InvalidArgument` where `after`
   * is none.
   */
  readonly epochPage: (options: EpochPageOptions) => EpochPage
  /**
   * An epoch now, and whenever something about it changed, up to when it is settled, or has no effect and none by waiting.
   * Throws `INTENTION_NOT_FOUND`.
   */
  readonly followEpoch: (id: IntentionId, signal: AbortSignal) => AsyncIterable<EpochStatus>
  /**
   * What is here and counts for nothing, as it was written beyond where its author's rights end. Throws `InvalidArgument`
   * where `after` is not here.
   */
  readonly excludedPage: (options: ExcludedPageOptions) => ExcludedPage
  /**
   * Lets payloads of the machine's schema `version` count from here on; nodes that do not know it stall until they are
   * upgraded. Rejects with `INVALID_ARGUMENT` for a version this node does not know, or `NOT_ADMIN`.
   */
  readonly activateSchema: (version: number) => Promise<void>
  /** Throws `STORE_TYPE_UNKNOWN` where the type has no opener. */
  readonly describe: () => MachineDescription
  /** A typed client of the store's machine: `store.open(kvStore)`. Throws `INVALID_ARGUMENT` for another type. */
  readonly open: <Service extends AnyService>(machine: {
    readonly storeType: StoreType
    readonly service: Service
  }) => Client<Service>
  /** The payload of an intention for people. Total. */
  readonly summarize: (op: UniversalOp) => SExpr
  /** Looks through the store, also one that failed; damage is an answer. */
  readonly verify: (options?: VerifyOptions) => Promise<VerifyReport>
  /**
   * Makes a damaged store whole again: from its own records where those are good, else with what a peer has. Whatever it
   * cannot do leaves everything as it is and rejects with `LOG_DAMAGED`; the damaged log is kept in any case.
   */
  readonly repair: (options?: RepairOptions) => Promise<RepairResult>
  /** What every author has seen; stability is that of the peers that write: active admins and writers. */
  readonly observations: () => Observations
  /** Acknowledges what is witnessed here; undefined when there is nothing to acknowledge. */
  readonly acknowledge: () => Promise<IntentionId | undefined>
  readonly rebuild: (onProgress?: (done: number, total: number) => void) => Promise<void>
  /** Resumes a stalled projection; rejects with `PROJECTION_STALLED` when it stalls again. */
  readonly retry: () => Promise<void>
  /**
   * Reconciles with every peer of the store, dialling those that are not connected; one report each, as they end, also of
   * those that take no part. Throws `signal.reason`, or that the store is not in use.
   */
  readonly sync: (signal: AbortSignal) => AsyncIterable<PeerSyncReport>
}

/** `verifying` and `salvaging` read the damaged log, `fetching` a peer's, `rebuilding` writes it anew, `replacing` puts it in place. */
export type RepairStage = 'verifying' | 'rebuilding' | 'fetching' | 'salvaging' | 'replacing'

export interface RepairProgress {
  readonly stage: RepairStage
  readonly done: number
  readonly total: number
}

export interface RepairOptions {
  /**
   * Goes on with what can still be read, without any peer. For a store that nobody else has: what is lost is lost, and if
   * a peer has it after all, this node's own chain forks.
   */
  readonly withoutPeer?: boolean
  /** Lets this node write although its own last writes may not be here. */
  readonly acceptFork?: boolean
  readonly onProgress?: (progress: RepairProgress) => void
  readonly signal?: AbortSignal
}

export interface RepairResult {
  /** Nothing was wrong; the log was written anew from its own records; it was fetched anew and what was readable added. */
  readonly kind: 'sound' | 'rebuilt' | 'restored'
  readonly report: VerifyReport
  /** Records of the store now. */
  readonly records: number
  /** Records of the damaged log that could not be read. */
  readonly lost: number
  /** Intentions that only the damaged log had, and that wait for others that are lost. */
  readonly salvaged: number
  readonly waiting: number
  readonly fetchedFrom: PublicKey | undefined
  /** Where the damaged log is kept. */
  readonly kept: string | undefined
  /** Why this node does not write to the store yet. */
  readonly held: string | undefined
}
