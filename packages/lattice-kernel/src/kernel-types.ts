/**
 * What a kernel is to those who use it.
 *
 * @module
 */
import type {
  AbortSignal,
  Cancel,
  ForkProof,
  Hash,
  Hints,
  Hlc,
  IngestOutcome,
  IntentionId,
  KnownOp,
  OpKind,
  ParsedIntention,
  PublicKey,
  SignedIntention,
  StoreId,
  StoreType,
  WitnessRecord,
} from '@lattice/model'
import type { weaver } from '@lattice/proto'
import type { CopyOptions, Rejection } from '@lattice/storage'
import type { EpochWish, MembershipView, ReadStoreTables } from '@lattice/store-base'
import type { RangeIndex } from '@lattice/sync'
import type { ScrubStatus } from './scrub-options.ts'
import type { VerifyOptions, VerifyReport } from './verify-types.ts'
import type { ChainReads } from './chain-reads.ts'
import type { DagQuestions } from './dag-questions.ts'
import type { EpochPages } from './epoch-pages.ts'
import type { EpochStatus } from './epoch-status.ts'
import type { Foundation } from './foundation-types.ts'
import type { ExcludedIntention, FloatingIntention, StoredIntention, WitnessEntry } from './held-types.ts'
import type { AuthorLag, AuthorTips, Observations } from './observation-types.ts'
import type { PrunePlan, PrunePlanOptions } from './prune-plan.ts'
import type { PruneEvent, PruneReads } from './prune-types.ts'
import type { RebuildProgress } from './kernel-options.ts'
import type { KernelDigest, ReplicatedSet } from './replicated-set.ts'
import type { RemovalProof } from './removal-types.ts'
import type { RevokedPast } from './revoked-past.ts'
import type { SnapshotEvent, SnapshotReads } from './snapshot-types.ts'

/** What to submit: the envelope of the wire, the decoded one, or its content alone. */
export type SubmitOp = weaver.UniversalOp | KnownOp

export interface SubmitOptions {
  /** Deps of the write, resolved in the writer against state with all earlier writes in it. What it throws is the refusal. */
  readonly deps?: (tables: ReadStoreTables) => readonly IntentionId[]
  readonly hints?: Partial<Hints>
}

/** One write of many. */
export interface BulkWrite extends SubmitOptions {
  readonly op: SubmitOp
}

/** Drawn from as they are written: all at once, or in parts that arrive. A part may be of any size, and lazy. */
export type BulkWrites = Iterable<BulkWrite> | AsyncIterable<Iterable<BulkWrite>>

export interface SubmitManyOptions {
  /** Noticed between two commits, and when the next part arrives. */
  readonly signal?: AbortSignal
  /** Called after each commit. */
  readonly onProgress?: (progress: SubmittedMany) => void
}

export interface SubmittedMany {
  /** The first so many writes of the input are durable and visible. */
  readonly written: number
  /** Id of the last of them. */
  readonly lastId: IntentionId | undefined
}

export interface ProjectionStatus {
  readonly appliedSeq: number
  readonly headSeq: number
  /** Something that was applied counts no more, or counts again, and state that says so is being made. */
  readonly isStale?: true
  readonly stalled?: StalledProjection
}

export interface StalledProjection {
  /** The record that could not be applied. */
  readonly seq: number
  readonly id: IntentionId
  readonly error: unknown
  /** Wall time. */
  readonly since: number
  /** It goes on by itself once a parent store has come further; no `stalled` event tells of it. */
  readonly waitsFor?: 'parent'
}

export interface KernelStats {
  readonly storeId: StoreId
  /** Undefined until the genesis is here. */
  readonly storeType: StoreType | undefined
  readonly witnessCount: number
  readonly appliedSeq: number
  readonly floatingCount: number
  readonly floatingBytes: number
  readonly evictedCount: number
  readonly authorCount: number
  readonly forkCount: number
  readonly rejectionCount: number
  readonly hlc: Hlc
}

export interface WitnessedNotice {
  readonly intentions: readonly ParsedIntention[]
  readonly source: PublicKey | undefined
}

export interface ProjectedNotice {
  /** The last applied record, and its chain hash. */
  readonly seq: number
  readonly chainHash: Hash
  readonly ops: readonly {
    readonly id: IntentionId
    readonly author: PublicKey
    readonly timestamp: Hlc
    readonly kind: OpKind
    readonly events: readonly unknown[]
    readonly rejected?: string
  }[]
}

/** What a store's tables hold, taken together. */
export interface StateSummary {
  readonly digest: Hash
  readonly systemRows: number
  readonly appRows: number
}

export type KernelEvent =
  /** Everybody who has to has seen it. Told once while the store is open. */
  | { readonly kind: 'epoch_settled'; readonly id: IntentionId; readonly seq: bigint }
  /** One of the newest epochs waits for these, or for these only from now on. Ascending, 64 at most; `total`: of how many. */
  | {
      readonly kind: 'epoch_waiting'
      readonly id: IntentionId
      readonly seq: bigint
      readonly waitingFor: readonly PublicKey[]
      readonly total: number
    }
  | SnapshotEvent
  | PruneEvent
  | {
      readonly kind: 'fork_detected'
      readonly author: PublicKey
      readonly proof: ForkProof
    }
  | ({ readonly kind: 'stalled' } & StalledProjection)
  | { readonly kind: 'resumed'; readonly appliedSeq: number }
  | { readonly kind: 'rebuilt'; readonly appliedSeq: number }
  /** Nothing is written any more: damage was met, or a bug. What is committed can be read; the store has to be opened anew. */
  | { readonly kind: 'failed'; readonly error: Error }
  /**
   * So many writes of an author, which counted here until now, are beyond a cutoff: they are no part of state any more, or
   * will not be in a moment. `epoch` made the cutoff; undefined where all that admitted the author is beyond one. `own`:
   * they are this node's.
   */
  | {
      readonly kind: 'excluded'
      readonly author: PublicKey
      readonly count: number
      readonly epoch: IntentionId | undefined
      readonly own: boolean
    }
  /** This node was removed: see {@link Kernel.removal}. */
  | { readonly kind: 'removal_shown'; readonly epoch: IntentionId; readonly author: PublicKey }
  | { readonly kind: 'floating_evicted'; readonly author: PublicKey; readonly count: number }

/** One store's history and state. One writer; readers see what is committed and never wait. */
export interface Kernel extends AsyncDisposable, DagQuestions, ChainReads, RevokedPast, SnapshotReads, PruneReads {
  readonly storeId: StoreId
  /**
   * Signs, witnesses, commits (an fsync) and projects one write; resolves with its id once it is durable and visible.
   * Writes submitted together share a commit. Rejects with `WriteRefused` when nothing was written.
   */
  readonly submit: (op: SubmitOp, options?: SubmitOptions) => Promise<IntentionId>
  /**
   * Writes many, in order, in runs of full length and large commits; memory does not grow with their number. Rejects with
   * `SubmitStopped` at the first write that is refused, at a source that fails, or when a commit does: what is written is
   * the first so many, as it says. Rejects with `signal.reason` once aborted; `onProgress` then told what is written.
   */
  readonly submitMany: (writes: BulkWrites, options?: SubmitManyOptions) => Promise<SubmittedMany>
  /**
   * Makes an epoch on top of all that is witnessed. Rejects with `WriteRefused` when it would not count, or concerns
   * nothing; then there is none.
   */
  readonly submitEpoch: (wish: EpochWish) => Promise<IntentionId>
  /**
   * All epochs: those that count, newest first, and after them those without effect. Costs a look at each: ask for one, or
   * a page, where that will do.
   */
  readonly epochs: () => readonly EpochStatus[]
  readonly epoch: EpochPages['epoch']
  readonly epochPage: EpochPages['epochPage']
  /** What all records of membership come to: the same object until that may be another. */
  readonly membership: () => MembershipView
  /** What those come to that are one of these epochs, or in the past of one. Ids that are not here are passed over. */
  readonly membershipAt: (epochs: readonly IntentionId[]) => MembershipView
  /** The one way in for what others made. One outcome each, in order; durable and projected when it resolves. */
  readonly ingest: (
    batch: readonly SignedIntention[],
    source: PublicKey | undefined,
  ) => Promise<readonly IngestOutcome[]>
  /** Looks again at everything that waits for admission or time, and at what this node has to write once it is admitted. */
  readonly recheckFloating: () => Promise<void>
  /** Resolves when `id` is witnessed; rejects with `KernelClosed`, or `signal.reason` once aborted. */
  readonly waitFor: (id: IntentionId, signal?: AbortSignal) => Promise<void>

  /**
   * Acknowledges what is witnessed here, in as many acks as that takes: the id of the last, or undefined when there is
   * nothing to acknowledge. Rejects as `submit`. The kernel does so by itself, some seconds after something arrives.
   */
  readonly emitAck: () => Promise<IntentionId | undefined>
  /** What the rules compare timestamps with, and whether this machine's clock is known to be behind. */
  readonly time: () => { readonly nowMs: number; readonly isBehind: boolean }

  /** The projected state: durable in the log, applied, and not of necessity in `state.db` yet. */
  readonly tables: () => ReadStoreTables
  readonly rejections: (afterSeq: number, limit: number) => readonly Rejection[]
  /** True for witnessed intentions. */
  readonly has: (id: IntentionId) => boolean
  readonly get: (id: IntentionId) => StoredIntention | undefined
  /** Candidates for a prefix of at least two hex digits; at most 16, so 16 means the prefix is too short. */
  readonly getByPrefix: (hex: string) => readonly StoredIntention[]
  /** Records from `fromSeq` on, oldest first. */
  readonly scanWitness: (fromSeq: number, limit: number) => readonly WitnessEntry[]
  /** Records before `beforeSeq` (from the head when absent), newest first. */
  readonly history: (beforeSeq: number | undefined, limit: number) => readonly WitnessEntry[]
  readonly tips: () => readonly AuthorTips[]
  /** Witnessed intentions that no other cites. Sorted. */
  readonly frontier: () => readonly IntentionId[]
  readonly floating: (limit: number) => readonly FloatingIntention[]
  /**
   * What is witnessed and beyond a cutoff, chain by chain: from the first on, or from after one that is witnessed. So one
   * that comes meanwhile moves none. Nothing where `after` is not here.
   */
  readonly excluded: (limit: number, after?: IntentionId) => readonly ExcludedIntention[]
  readonly forks: (
    limit: number,
  ) => readonly { readonly author: PublicKey; readonly ids: readonly [IntentionId, IntentionId] }[]
  /** What shows anyone that the author of these two, an entry of `forks`, forked. Undefined when it did not. */
  readonly forkProof: (ids: readonly [IntentionId, IntentionId]) => ForkProof | undefined
  /**
   * What every author has seen, derived from what is witnessed, and what all of `members` have. Members are by default
   * the authors here that are admitted; one that has written nothing has seen nothing.
   */
  readonly observations: (members?: readonly PublicKey[]) => Observations
  /** How far an author is behind what is witnessed here, as far as its intentions here tell. */
  readonly lag: (author: PublicKey) => AuthorLag
  /** What none of these authors has shown to have seen; all of it, acks left out, where there are none. */
  readonly unseenByAll: (authors: readonly PublicKey[]) => AuthorLag
  readonly stats: () => KernelStats
  readonly storeType: () => StoreType | undefined

  readonly digest: () => KernelDigest
  /** Every epoch that nothing follows yet is settled; true where there is none. */
  readonly isEpochSettled: () => boolean
  /** By what is known now: true for what everybody who may write has seen, see `seen-by-all.ts`. */
  readonly seenByAll: () => (id: IntentionId) => boolean
  /**
   * The set for a session over a base: the normal one for this node's own. Of a later epoch that counts, here, it is what is
   * not below it, with the genesis and the records below. Undefined where the epoch is not here, does not count, or does not
   * follow this node's own base: then not all of the set is here. Undefined also where what lies below it counts otherwise
   * than it did there, and where this node has more beside it than whoever begins there can take in. `isFounded`: it is for one
   * that began with the foundation that is given here, and so can.
   */
  readonly over: (base: IntentionId, isFounded?: boolean) => ReplicatedSet | undefined
  /**
   * What another node begins with: at an epoch that counts and follows this node's own base, or at that. Undefined where there
   * is none. A snapshot is of one epoch: who takes both asks for the foundation at that. Who begins where `over` does not answer
   * could not take in all that is here; it is shown no more than who is out.
   */
  readonly foundation: (at?: IntentionId) => Foundation | undefined
  /**
   * What removed this node, where it was shown so by a foundation: the epoch cannot be witnessed here, for its past is gone
   * everywhere. Undefined where nothing did, and where an epoch did that is here.
   */
  readonly removal: () => { readonly epoch: IntentionId; readonly author: PublicKey } | undefined
  /**
   * At which epoch a foundation shows a peer that it was removed, where the past of what removed it was cut here, or one of
   * those who admitted it again, by its own account, lost rights itself. Undefined where neither is so, and for any other peer.
   */
  readonly removalFoundation: (peer: PublicKey, admittedBy: readonly PublicKey[]) => IntentionId | undefined
  /**
   * Takes in such a foundation. Undefined while another is, and where there are no epochs. `from`: who shows it, as the
   * connection proves; of an epoch that is not final nobody but its author can.
   */
  readonly openRemovalProof: (from?: PublicKey) => RemovalProof | undefined
  /**
   * What a prune would do now, and why it would do nothing where it would not. With something to keep it names the newest
   * epoch that keeps it; with nothing it tells of an epoch made now. Changes nothing.
   */
  readonly planPrune: (options: PrunePlanOptions) => PrunePlan
  /** The witnessed set. Follows later commits; stands still within one turn of the event loop. */
  readonly rangeIndex: () => RangeIndex
  readonly missing: (ids: readonly IntentionId[]) => readonly IntentionId[]
  /** In witness order, each author's run closed, up to about `maxBytes` (at least one run); `rest` did not fit. */
  readonly read: (
    ids: readonly IntentionId[],
    maxBytes: number,
  ) => { readonly intentions: readonly SignedIntention[]; readonly rest: readonly IntentionId[] }
  /** The latest intention of the author here; of several tips, the one witnessed last. */
  readonly tipOf: (author: PublicKey) => IntentionId | undefined
  readonly readChain: (target: IntentionId, since: IntentionId | undefined, limit: number) => readonly SignedIntention[]
  readonly witnessPage: (
    fromSeq: number,
    limit: number,
  ) => { readonly records: readonly WitnessRecord[]; readonly headSeq: number }
  /** The digest of {@link Kernel.stateSummary}. */
  readonly stateDigest: () => Promise<Hash>
  /**
   * One hash over every row of both tables as they are now, equal on nodes that converged, and their counts. Reads all
   * rows, over many turns. Rejects with `KernelClosed`.
   */
  readonly stateSummary: () => Promise<StateSummary>

  readonly projection: () => ProjectionStatus
  /** Builds state anew beside the one in use, then swaps it in. */
  readonly rebuild: (onProgress?: RebuildProgress) => Promise<void>
  /** Resumes a stalled projection; rejects with `ProjectionStalled` when it stalls again. */
  readonly retry: () => Promise<void>

  /**
   * Looks through the log and what is derived from it, in slices between other work. Damage is an answer; rejects with
   * `KernelClosed`, or with `signal.reason`.
   */
  readonly verify: (options?: VerifyOptions) => Promise<VerifyReport>

  /** How far the log was read through in the background since it was opened; undefined where that is not asked for. */
  readonly scrubbed: () => ScrubStatus | undefined

  /**
   * Copies the log, and state where it can be, to new files in `directory`, off the event loop, while the store is in use.
   * What is acknowledged when it is called is in the copy. Rejects with `KernelClosed`, `DiskFull`, `StorageFailed`, or
   * `signal.reason`; what was written is for the caller to remove.
   */
  readonly copyTo: (directory: string, options?: CopyOptions) => Promise<void>

  /** Listeners are called in commit order, after the commit, and must not throw. */
  readonly onWitnessed: (listener: (notice: WitnessedNotice) => void) => Cancel
  readonly onProjected: (listener: (notice: ProjectedNotice) => void) => Cancel
  readonly onEvent: (listener: (event: KernelEvent) => void) => Cancel
  /** Finishes what was accepted, a bulk write up to its next commit, then releases the files. Idempotent. */
  readonly close: () => Promise<void>
}
