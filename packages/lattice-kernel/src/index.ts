/**
 * Signed intentions become a durable, ordered, projected history of one store.
 *
 * @module
 */
export {
  DiskFull,
  LogDamaged,
  SchemaTooNew,
  StorageFailed,
  type StorageHooks,
  type StoragePoint,
} from '@lattice/storage'
export type { DagEdges } from './dag-graph.ts'
export {
  type BranchInspection,
  DAG_PAGE_MAX,
  type DagOptions,
  type DagQuestions,
  type DownsetOptions,
  type DownsetPage,
  type InspectOptions,
  WALK_BUDGET,
} from './dag-questions.ts'
export {
  KernelClosed,
  ProjectionStalled,
  SnapshotGone,
  SnapshotUnavailable,
  SubmitStopped,
  UnknownIntention,
  WalkTooLong,
  HistoryPruned,
  WriteRefused,
  type WriteRefusal,
  WriterBusy,
} from './errors.ts'
export type { ChainReads, ChainSpan, ChainTip } from './chain-reads.ts'
export type { PastReader, RevokedPast } from './revoked-past.ts'
export { AUTHOR_SHARE, MAX_FLOATING, MAX_FLOATING_BYTES } from './floating-quota.ts'
export { EPOCH_ACK_DELAY_MS } from './epoch-acknowledger.ts'
export { JOIN_DEADLINE_MS, JOIN_DELAY_MS } from './epoch-joiner.ts'
export type { EpochPlace } from './epoch-order.ts'
export { type EpochPage, type EpochPageOptions, EPOCHS_PER_PAGE_MAX } from './epoch-pages.ts'
export { type EpochPurpose, type EpochStatus, purposeOf, type SignedRoot } from './epoch-status.ts'
export { ACK_DELAY_MS, ACK_RETRY_MS } from './acknowledger.ts'
export { decodeFoundationItem, encodeFoundationItem, type FoundationItemMalformed } from './foundation-codec.ts'
export type {
  Foundation,
  FoundationEnd,
  FoundationFault,
  FoundationItem,
  FoundationPlace,
  FoundationRefused,
  FoundationWriter,
} from './foundation-types.ts'
export type { ExcludedIntention, FloatingIntention, StoredIntention, WitnessEntry } from './held-types.ts'
export type {
  BulkWrite,
  BulkWrites,
  Kernel,
  KernelEvent,
  KernelStats,
  ProjectedNotice,
  ProjectionStatus,
  StalledProjection,
  StateSummary,
  SubmitManyOptions,
  SubmitOp,
  SubmitOptions,
  SubmittedMany,
  WitnessedNotice,
} from './kernel-types.ts'
export type { KernelOptions, PeerTime, RebuildProgress } from './kernel-options.ts'
export type {
  AuthorLag,
  AuthorObservation,
  AuthorTip,
  AuthorTips,
  Observations,
  SeenOf,
  StabilityFrontier,
} from './observation-types.ts'
export type { FoundationWriterOptions } from './foundation-log.ts'
export { createFoundationWriter } from './foundation-writer.ts'
export { assertNotAhead } from './kernel-time.ts'
export { type LogEnd, type LogEndOptions, readLogEnd } from './log-end.ts'
export { LOG_FILE, STATE_FILE } from './log-schema.ts'
export { type LateKernelOptions, openKernel, type Projecting } from './open-kernel.ts'
export { type LogDurability, type LogPeek, peekLog } from './open-log.ts'
export {
  openPrunedStore,
  type PrunedStoreOptions,
  type PrunedStoreStage,
  type PrunedStoreWriter,
} from './pruned-store.ts'
export type { PlannedPart, PruneHindrance, PrunePlan, PrunePlanOptions } from './prune-plan.ts'
export type { LogBase, PruneStatus, PruneWait } from './prune-types.ts'
export { rebuildLog, type RebuildLogOptions } from './rebuild-log.ts'
export {
  abandonReplacement,
  beginReplacement,
  commitFetched,
  commitReplacement,
  FETCHING,
  finishReplacement,
  hasFetched,
} from './replace-log.ts'
export { type OwnChainEnd, salvageLog, type SalvagedLog, type SalvageOptions } from './salvage-log.ts'
export type { ProofRefused, RemovalProof } from './removal-types.ts'
export { isMadeAgain } from './made-again.ts'
export { openReingest, type Reingest, type ReingestOptions, type StrandedWrite } from './reingest.ts'
export type { KernelDigest, ReplicatedSet } from './replicated-set.ts'
export type { ScrubOptions, ScrubStatus } from './scrub-options.ts'
export { QUORUM, signedStateOf } from './signed-state.ts'
export type {
  ReadSnapshotOptions,
  SnapshotInfo,
  SnapshotPage,
  SnapshotProgress,
  SnapshotStatus,
} from './snapshot-types.ts'
export type { StateDivergence } from './state-divergence.ts'
export { unfoldDeps } from './unfold-deps.ts'
export { verifyLog } from './verify-log.ts'
export {
  type Counted,
  isRecordProblem,
  type VerifyLogOptions,
  type VerifyOptions,
  type VerifyOutcome,
  type VerifyPart,
  type VerifyProblem,
  type VerifyProgress,
  type VerifyReport,
} from './verify-types.ts'
