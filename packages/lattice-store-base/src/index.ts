export type {
  CommandContext,
  CommandDefinition,
  QueryContext,
  QueryDefinition,
  ResolveDeps,
  StreamContext,
  StreamDefinition,
  StreamEvents,
  StreamLagged,
} from './method.ts'
export type { Authority, ProjectedOp, Projector, ReadStoreTables, StoreTables } from './projector.ts'
export type {
  AppliedOp,
  BlobReference,
  FieldFormat,
  OpApplied,
  OpOutcome,
  OpRejected,
  StateMachine,
} from './state-machine.ts'
