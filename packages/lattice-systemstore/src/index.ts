/**
 * The system layer around every store: who its peers are, which invites are
 * open, which child stores it has.
 *
 * @module
 */
export { createSystemAuthority, isAdmin, wasGiven } from './authority.ts'
export { checkText, type TextProblem, type TextRule } from './check-text.ts'
export { type ChildEntry, readChild, readChildren } from './children.ts'
export { type InviteEntry, readInvite, readInviteOrigin, readInvites } from './invites.ts'
export {
  type ChildField,
  decodeSystemKey,
  encodeSystemKey,
  type InviteField,
  type PeerField,
  type ReplicationField,
  type StoreField,
  type SystemKey,
} from './keys.ts'
export {
  MAX_APP_ID_BYTES,
  MAX_CRUSH_BYTES,
  MAX_DEVICE_BYTES,
  MAX_INVITE_USES,
  MAX_KEEP_DAYS,
  MAX_NAME_BYTES,
  MAX_REPLICATION_FACTOR,
} from './limits.ts'
export { listSystem, type SystemEntry } from './list-system.ts'
export { createInheritedMembershipPolicy, type ParentEpoch, type ParentPeers } from './membership/inherited-policy.ts'
export { createMembershipPolicy } from './membership/policy.ts'
export { createStoreMembershipPolicy } from './membership/store-policy.ts'
export type { MalformedReason, UnauthorizedReason } from './op-plan.ts'
export {
  admitPeer,
  cancelInvite,
  claimInvite,
  createInvite,
  setPeerDevice,
  setPeerName,
  setPeerRole,
  setPeerStatus,
  type Signing,
} from './peer-writes.ts'
export { type PeerEntry, readPeer, readPeers, readPeerStatus, readPeerStatuses } from './peers.ts'
export { type PrunePolicy, prunePolicyIn, prunePolicyMessage, prunePolicyOf } from './prune-policy.ts'
export { FIRST_SCHEMA, readSchema } from './schema-activation.ts'
export {
  readAppId,
  readCreator,
  readDestroyAcks,
  readDestroyed,
  readEpochSeq,
  readName,
  readReplication,
  readStrategy,
  type ReplicationPolicy,
} from './store-info.ts'
export {
  ackChildDestroy,
  ackStoreDestroy,
  activateSchema,
  addChild,
  destroyStore,
  setAppId,
  setChildAlias,
  setChildStatus,
  setName,
  setPrunePolicy,
  setReplication,
  setStrategy,
} from './store-writes.ts'
export { summarizeSystemOp } from './summarize.ts'
export type { SystemEvent } from './system-event.ts'
export { createSystemLayer, type SystemRejection, UpgradeNeeded } from './system-layer.ts'
export { batchSystemWrites, createSystemWrite, type SystemWrite, SystemWriteRefused } from './system-write.ts'
export { type ChildStatus, type InviteStatus, isAtLeast, type PeerStatus, type Role, type Strategy } from './values.ts'
