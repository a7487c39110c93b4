export { type Discovery, type DiscoveryEvent, MAX_FOUND_ADDRESSES, MAX_SOUGHT_PEERS } from './discovery.ts'
export { PeerUnreachable, StreamLost } from './errors.ts'
export type {
  IntentionsRead,
  PeerAccess,
  ReplicaDigest,
  ReplicatedStore,
  WitnessedBatch,
  WitnessPageRead,
} from './replicated-store.ts'
export type { BiStream, CloseReason, Connection, DialOptions, Transport } from './transport.ts'
