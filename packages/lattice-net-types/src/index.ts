export { BindFailed, PeerUnreachable, StreamLost } from './errors.ts'
export type {
  IntentionsRead,
  PeerAccess,
  ReplicaDigest,
  ReplicatedStore,
  WitnessedBatch,
  WitnessPageRead,
} from './replicated-store.ts'
export { formatSocketAddress, isLoopbackAddress, parseSocketAddress, type SocketAddress } from './socket-address.ts'
export type { BiStream, CloseReason, Connection, DialOptions, Transport } from './transport.ts'
