export { type AcceptGate, type AcceptGateOptions, type Admission, createAcceptGate, sourceOf } from './accept-gate.ts'
export {
  CONNECT_TIMEOUT_MS,
  HANDSHAKE_TIMEOUT_MS,
  KEPT_CONNECTIONS,
  MAX_CONNECTIONS,
  MAX_HANDSHAKES,
  MAX_HANDSHAKES_PER_SOURCE,
  MAX_INCOMING,
} from './connection-limits.ts'
export { type Discovery, type DiscoveryEvent, MAX_FOUND_ADDRESSES, MAX_SOUGHT_PEERS } from './discovery.ts'
export { BindFailed, PeerUnreachable, StreamLost } from './errors.ts'
export type { HostNetwork } from './host-network.ts'
export type {
  FoundationRead,
  PrunedReplica,
  ReplicaBase,
  RowPlace,
  ServedSnapshot,
  SetOverBase,
  SnapshotRead,
  SnapshotRow,
} from './pruned-replica.ts'
export type { PrunedStoreWriter, WriterPosition, WriterRefused, WriterSnapshot } from './pruned-store-writer.ts'
export type { RemovalProof } from './removal-proof.ts'
export type { ReplicaDigest } from './replica-digest.ts'
export type {
  ChainSpan,
  ChainTip,
  IntentionsRead,
  PastReader,
  PeerAccess,
  ReplicatedStore,
  SpansRead,
  WitnessedBatch,
  WitnessPageRead,
} from './replicated-store.ts'
export { formatSocketAddress, isLoopbackAddress, parseSocketAddress, type SocketAddress } from './socket-address.ts'
export type { BiStream, CloseReason, Connection, DialOptions, Transport } from './transport.ts'
