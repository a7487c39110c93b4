/**
 * The contract of a state machine, and what every host of one needs.
 *
 * @module
 */
export {
  type Client,
  createClient,
  type ExecManyOptions,
  type ExecutedMany,
  type Executor,
  type ManyRequests,
  type StreamCall,
  type UnaryCall,
} from './client.ts'
export {
  defineCommand,
  defineQuery,
  defineStateMachine,
  defineStream,
  defineWrite,
  schemaOfCommands,
} from './define.ts'
export {
  describeMachine,
  type FieldFormatDescription,
  type MachineDescription,
  type MethodDescription,
  type MethodKind,
} from './describe-machine.ts'
export { execMethod, type MachineMethods, openStream, runQuery, writePlanner } from './dispatch.ts'
export { InvalidArgument, LimitExceeded, MethodNotFound, NotBulk, StreamNotFound } from './errors.ts'
export { collectFiles } from './file-descriptors.ts'
export { MAX_FOLDED_DEPS, MAX_PAYLOAD_BYTES, MAX_REQUEST_BYTES, MAX_SET_ASIDE } from './limits.ts'
export { mapItems } from './map-items.ts'
export type {
  CommandContext,
  CommandDefinition,
  PlannedWrite,
  QueryContext,
  QueryDefinition,
  ResolveDeps,
  StreamContext,
  StreamDefinition,
  StreamEvents,
  StreamLagged,
} from './method.ts'
export {
  type Cutoff,
  type EpochFault,
  type EpochPermission,
  type EpochWish,
  isOutOfState,
  mayComeToCount,
  type MembershipHistory,
  type MembershipPolicy,
  type MembershipRecord,
  type MembershipView,
  type Remains,
  type Removal,
  resolvePast,
} from './membership.ts'
export { type CitationPlan, planCitations, unfoldCitations } from './plan-citations.ts'
export { prefixedReadTable, prefixedWriteTable } from './prefix-table.ts'
export type { Authority, ProjectedOp, Projector, ReadStoreTables, StoreTables } from './projector.ts'
export { readCanonical } from './read-canonical.ts'
export { emptyLog, type LoggedWrite, MAX_CURSOR_BYTES, type PlacedWrite, type ReadLog } from './read-log.ts'
export type { AnyService, ServiceMethod } from './service.ts'
export { showBytes } from './show-bytes.ts'
export type {
  AppliedOp,
  BlobReference,
  FieldFormat,
  MachinePurge,
  OpApplied,
  OpOutcome,
  OpRejected,
  StateMachine,
} from './state-machine.ts'
