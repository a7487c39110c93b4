/**
 * The projector of a real store: system operations change the system table, app
 * data goes to the state machine inside.
 *
 * Total: whatever was signed is applied or is a recorded no-op, by rules that
 * read the operation, the records in its past and nothing else.
 *
 * @module
 */
import { applyWrite, heads, type KvHead } from '@lattice/kvtable'
import {
  assert,
  compareBytes,
  equalBytes,
  type IntentionId,
  LatticeError,
  list,
  type PublicKey,
  raw,
  type SExpr,
  sym,
} from '@lattice/model'
import type { system, weaver } from '@lattice/proto'
import type { EpochWish, OpOutcome, ProjectedOp, Projector, StateMachine, StoreTables } from '@lattice/store-base'
import { epochRows, observeRights, removalsIn } from './apply-epoch.ts'
import { authorize } from './authorize.ts'
import { revocationsOf } from './grants.ts'
import type { MalformedReason, SystemRow, UnauthorizedReason } from './op-plan.ts'
import { lastPerKey, type PlannedWrite, planSystemOp } from './plan-op.ts'
import { FIRST_SCHEMA, isActivated } from './schema-activation.ts'
import { readEpochSeq } from './store-info.ts'
import { summarizeEpoch, summarizeSystemOp } from './summarize.ts'
import { observe, type SystemEvent } from './system-event.ts'
import { decodeGrant, encodeGrant, encodePeerStatus, encodeRole, encodeTime, isAtLeast } from './values.ts'

/** Why the layer itself makes an operation a no-op; a state machine has reasons of its own. */
export type SystemRejection =
  | MalformedReason
  | UnauthorizedReason
  /** The ops are no envelope this version knows all of. */
  | 'envelope_malformed'
  | 'sealed_unsupported'
  /** A payload without a schema version, or of one that was not activated in its past. */
  | 'schema_invalid'
  | 'schema_not_activated'
  /** Acks and genesis are the kernel's; and so is an epoch that is malformed. */
  | 'kernel_op'

/** Changes with the system table's layout or rules: projections are then rebuilt. */
const LAYER_VERSION = 5

/**
 * Thrown by `apply` for a payload of a schema that the store has activated and
 * this machine does not know: projection stalls here and goes on after an
 * upgrade, with nothing skipped.
 */
export class UpgradeNeeded extends LatticeError {
  override readonly name = 'UpgradeNeeded'
  readonly code = 'SCHEMA_TOO_NEW'
  override readonly detail: { readonly storeType: string; readonly known: number; readonly needed: number }

  constructor(detail: { readonly storeType: string; readonly known: number; readonly needed: number }) {
    super(
      `this store uses schema ${detail.needed} of ${detail.storeType}, this version knows ${detail.known}: upgrade this node`,
    )
    this.detail = detail
  }
}

/**
 * What state is kept under. Not by schema: a later one changes nothing of what is there, and of a store whose history was cut
 * state cannot be made anew. The 1 stands where the schema stood while there was one.
 */
function versionOf({ storeType, tableVersion }: Pick<StateMachine, 'storeType' | 'tableVersion'>): string {
  return `${storeType}/1/${tableVersion}`
}

/** Wraps `machine`. Without one the store is headless: app data replicates and is left alone. */
export function createSystemLayer<Event = never>({
  machine,
}: { readonly machine?: StateMachine<Event> } = {}): Projector<SystemEvent | Event> {
  return {
    version: `system/${LAYER_VERSION} ${machine === undefined ? 'headless' : versionOf(machine)}`,
    applyGenesis,
    apply: (tables, op) => {
      const envelope = op.op
      if (envelope === undefined) return rejected('envelope_malformed')
      switch (envelope.op.case) {
        case 'system':
          return applySystem(tables, op, envelope.op.value)
        case 'epoch':
          return applyEpoch(tables, op, envelope.op.value)
        case 'appData':
          return machine === undefined
            ? { kind: 'applied', events: [] }
            : applyApp(machine, tables, { op, schema: envelope.schema, payload: envelope.op.value })
        case 'sealed':
          return rejected('sealed_unsupported')
        case undefined:
          return rejected('envelope_malformed')
        default:
          return rejected('kernel_op')
      }
    },
    summarize: (op) => summarize(op, machine),
  }
}

/** The creator is an active ADMIN from the start; its grant is the genesis, which is in every past. */
function applyGenesis(tables: StoreTables, genesis: ProjectedOp): OpOutcome<SystemEvent> {
  const { id, author: peer, timestamp } = genesis
  const rows: SystemRow[] = [
    { key: { kind: 'store', field: 'creator' }, value: peer },
    { key: { kind: 'peer', peer, field: 'status' }, value: encodePeerStatus('active') },
    { key: { kind: 'peer', peer, field: 'role' }, value: encodeRole('admin') },
    { key: { kind: 'peer', peer, field: 'added-at' }, value: encodeTime(timestamp.wall) },
    { key: { kind: 'peer', peer, field: 'added-by' }, value: peer },
    { key: { kind: 'grant', peer, grant: id }, value: encodeRole('admin') },
  ]
  return { kind: 'applied', events: write(tables, genesis, lastPerKey(rows)) }
}

function applySystem(tables: StoreTables, op: ProjectedOp, message: system.SystemOp): OpOutcome<SystemEvent> {
  const plan = planSystemOp(message, op)
  if (!plan.ok) return rejected(plan.error)
  const reason = authorize(tables.system, op, plan.value.steps)
  if (reason !== undefined) return rejected(reason)
  const { writes } = plan.value
  const epoch = wishedEpoch(tables, op, writes)
  return { kind: 'applied', events: write(tables, op, writes), ...(epoch !== undefined && { epoch }) }
}

/** The first epoch is made when somebody else may write: from then on there is somebody to agree with. */
function wishedEpoch(
  tables: StoreTables,
  { author }: ProjectedOp,
  writes: readonly PlannedWrite[],
): EpochWish | undefined {
  const admitsWriter = writes.some(
    ({ key, value }) =>
      key.kind === 'grant' && !equalBytes(key.peer, author) && isAtLeast(decodeGrant(value)?.role ?? 'none', 'writer'),
  )
  return admitsWriter && readEpochSeq(tables.system) === undefined ? { kind: 'initial' } : undefined
}

function applyEpoch(tables: StoreTables, op: ProjectedOp, epoch: weaver.EpochOp): OpOutcome<SystemEvent> {
  const removals = removalsIn(epoch)
  if (removals === undefined) return rejected('kernel_op')
  const taken = observeRights(tables.system, removals)
  const changes = write(tables, op, lastPerKey(epochRows(op, epoch, removals)))
  return { kind: 'applied', events: [...changes, ...taken()] }
}

function write(
  tables: StoreTables,
  { id, timestamp, author, follows, covers }: ProjectedOp,
  writes: readonly PlannedWrite[],
): readonly SystemEvent[] {
  const { changes } = observe(
    tables.system,
    writes.map(({ key }) => key),
  )
  for (const { key, keyBytes, value: planned } of writes) {
    const value = key.kind === 'grant' ? afterRevocations(tables, { peer: key.peer, planned, follows }) : planned
    const deps = replacedBy({ follows, covers }, heads(tables.system, keyBytes))
    applyWrite(tables.system, { id, timestamp, author, deps, key: keyBytes, state: { kind: 'value', value } })
  }
  return changes()
}

/** A grant says which revocations it follows: another operation can only be asked what it follows itself. */
function afterRevocations(
  tables: StoreTables,
  {
    peer,
    planned,
    follows,
  }: { readonly peer: PublicKey; readonly planned: Uint8Array; readonly follows: ProjectedOp['follows'] },
): Uint8Array {
  const grant = decodeGrant(planned)
  assert(grant !== undefined, 'a planned grant is well-formed')
  const after = revocationsOf(tables.system, peer).map(({ id }) => id)
  return encodeGrant({ role: grant.role, after: after.filter((id) => follows(id)) })
}

/**
 * A write replaces all that is in its past, cited or not. An author that leaves out what it saw would else add a value to
 * a row with every operation, and each operation costs what the row holds; so a row holds one value per branch of the DAG.
 */
function replacedBy(
  { follows, covers }: Pick<ProjectedOp, 'follows' | 'covers'>,
  standing: readonly KvHead[],
): readonly IntentionId[] {
  return standing
    .filter(({ id, timestamp }) => follows(id) || covers(id, timestamp))
    .map(({ id }) => id)
    .toSorted(compareBytes)
}

function applyApp<Event>(
  machine: StateMachine<Event>,
  tables: StoreTables,
  { op, schema, payload }: { readonly op: ProjectedOp; readonly schema: number; readonly payload: Uint8Array },
): OpOutcome<Event> {
  if (schema < FIRST_SCHEMA) return rejected('schema_invalid')
  if (schema > FIRST_SCHEMA && !isActivated(tables.system, schema, op.follows)) return rejected('schema_not_activated')
  if (schema > machine.schemaVersion)
    throw new UpgradeNeeded({ storeType: machine.storeType, known: machine.schemaVersion, needed: schema })
  const { id, author, timestamp, deps, follows, covers } = op
  return machine.apply(tables.app, { id, author, timestamp, deps, follows, covers, schema, payload })
}

function summarize(
  { op }: weaver.UniversalOp,
  machine: { readonly summarize: (payload: Uint8Array) => SExpr } | undefined,
): SExpr {
  if (op.case === 'system') return summarizeSystemOp(op.value)
  if (op.case === 'epoch') return summarizeEpoch(op.value)
  if (op.case === 'appData')
    return machine === undefined ? list(sym('app-data'), raw(op.value)) : machine.summarize(op.value)
  return sym(op.case ?? 'unknown')
}

function rejected(reason: SystemRejection): { readonly kind: 'rejected'; readonly reason: SystemRejection } {
  return { kind: 'rejected', reason }
}
