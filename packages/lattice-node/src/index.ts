/**
 * A node: identity, data directory, stores, invites and joins.
 *
 * @module
 */
export { type DataDirectory, openDataDirectory, socketPathOf } from './data-directory.ts'
export { NodeError, type NodeErrorOptions } from './errors.ts'
export { FINAL_SYNC_MS } from './final-sync.ts'
export { DEFAULT_INVITE_MS } from './invite-peer.ts'
export {
  decodeInviteToken,
  encodeInviteToken,
  type InviteToken,
  MAX_TOKEN_CHARS,
  type TokenError,
} from './invite-token.ts'
export type {
  AuthorLag,
  AuthorObservation,
  EpochStatus,
  Observations,
  PrunePlan,
  SeenOf,
  SnapshotInfo,
  SnapshotStatus,
  StabilityFrontier,
} from '@lattice/kernel'
export type {
  HistoryActs,
  KeptWrite,
  ListedStranded,
  PrunedBase,
  PruneKeep,
  PruneResult,
  FollowedPruning,
  ResubmitResult,
  SettledWrite,
  StorePruning,
  StrandedActs,
} from './history/history-types.ts'
export type { NodeEvent, NodeEventBody } from './node-events.ts'
export type {
  BackupOptions,
  BackupProgress,
  BackupResult,
  ClockStatus,
  ConnectedPeer,
  CreateStoreOptions,
  Finding,
  JoinOptions,
  JoinProgress,
  JoinStage,
  Node,
  NodeAbout,
  NodeNetwork,
  NodeOptions,
  WhyOptions,
} from './node-types.ts'
export type {
  Invitation,
  InviteEntry,
  InviteOptions,
  PeerActs,
  PeerConduct,
  PeerEntry,
  RepairOptions,
  RepairProgress,
  RepairResult,
  RepairStage,
  PeerSync,
  PeerSyncReport,
  PeerSyncResult,
  StoreActs,
  StoreFailure,
  StoreHandle,
  StoreState,
  StoreStatus,
  StoreSummary,
  SystemTableEntry,
} from './store-types.ts'
export { resultOf } from './sync-store.ts'
export { type PrunePolicy, prunePolicyIn, prunePolicyMessage } from '@lattice/systemstore'
export type { VerifyOptions, VerifyProblem, VerifyReport } from '@lattice/kernel'
export { openNode } from './open-node.ts'
export {
  restoreBackup,
  type RestoreBackupOptions,
  type RestoredBackup,
  type RestoreProgress,
} from './restore-backup.ts'
export {
  type VerifiedBackup,
  type VerifiedStore,
  verifyBackup,
  type VerifyBackupOptions,
  type VerifyBackupProgress,
} from './verify-backup.ts'
