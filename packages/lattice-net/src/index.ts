export type { RemovalRequest } from './ask-removal.ts'
export { type CombinedTransportOptions, createCombinedTransport } from './combined/combined-transport.ts'
export {
  createDigestInitiator,
  createDigestResponder,
  type DigestOptions,
  type DigestOutcome,
  type SharedStore,
} from './digest-exchange.ts'
export { comparedWith } from './claimed-digest.ts'
export {
  BasesDiffer,
  BootstrapFailed,
  NetworkClosed,
  PeerMuted,
  PeerRefused,
  PeerTooSlow,
  PeerViolation,
  RefusedPeer,
  SessionFailed,
  StoreNotRegistered,
} from './errors.ts'
export { decodeFrame, encodeFrame, type Frame, type FrameError, type FrameInit } from './frame.ts'
export { createFrameDecoder, type FrameDecoder } from './frame-decoder.ts'
export type { Circle, Gossip, GossipDeps, GossipFactory, GossipLink, SyncReason } from './gossip.ts'
export { createTreeGossip } from './gossip/tree-gossip.ts'
export { createInviter, createJoiner, type JoinRequest } from './join.ts'
export { DEFAULT_LIMITS, type NetworkLimits } from './limits.ts'
export type { NetworkChange, NetworkServiceOptions } from './network-options.ts'
export type { ConnectedPresence, NetworkEvent, PeerPresence, SyncOutcome } from './network-event.ts'
export { createNetworkService, type JoinOptions, type NetworkService } from './network-service.ts'
export type { DialFailure, DialState } from './dialer.ts'
export { acceptOpening, withOpening } from './opening.ts'
export type { ExchangeDiagnosis, PeerDiagnosis } from './peer-diagnosis.ts'
export type { PeerStanding } from './peer-defence.ts'
export type { Standing } from './peer-ledger.ts'
export type { MeteredKind } from './peer-meter.ts'
export type { PeerTroubles, SessionTrouble, Trouble } from './peer-troubles.ts'
export type { ReconcileOutcome } from './reconcile.ts'
export { createReconcileInitiator } from './reconcile-initiator.ts'
export { createReconcileResponder } from './reconcile-responder.ts'
export { errorCodeOf, refusalOf } from './refusal.ts'
export type { BootstrapOutcome, BootstrapPositions, BootstrapProgress, BootstrapRequest } from './run-bootstrap.ts'
export { runSession, type SessionOptions } from './run-session.ts'
export type { SnapshotFetch, SnapshotOutcome } from './run-snapshot.ts'
export type { SnapshotState } from './snapshot-effect.ts'
export { createLogServer } from './serve-log.ts'
export type { Effect, Effects, SessionFailure, SessionMachine } from './session.ts'
export type {
  BootstrapPosition,
  ClaimedDigest,
  JoinAttempt,
  JoinGrant,
  JoinHandler,
  JoinRefusal,
  JoinRefusalCode,
  PeerHint,
  SessionAnswer,
  SessionCall,
  SessionStore,
} from './session-call.ts'
export { type VersionRange, versionsOf } from './versions.ts'
