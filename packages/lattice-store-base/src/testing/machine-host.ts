/**
 * A host for one state machine in memory: no disk, keys, signatures or network.
 *
 * Behaves as a store does towards the machine: writes are applied one at a
 * time in the order they are submitted, deps are resolved against the state
 * just before, and the clock only grows. Ids are counters, so that every run
 * gives the same bytes.
 *
 * @module
 */
import {
  assert,
  compareBytes,
  createBroadcast,
  equalBytes,
  type Hlc,
  HASH_BYTES,
  idKey,
  type IntentionId,
  isLagged,
  PUBLIC_KEY_BYTES,
  type PublicKey,
  toIntentionId,
  toPublicKey,
  type WriteTable,
} from '@lattice/model'
import type { ExecManyOptions, ExecutedMany, Executor, ManyRequests } from '../client.ts'
import { execMethod, openStream, runQuery, writePlanner } from '../dispatch.ts'
import { MAX_FOLDED_DEPS, MAX_PAYLOAD_BYTES } from '../limits.ts'
import { mapItems } from '../map-items.ts'
import type { CommandContext, PlannedWrite, StreamContext, StreamEvents, StreamLagged } from '../method.ts'
import type { ReadLog } from '../read-log.ts'
import type { AppliedOp, OpOutcome, StateMachine } from '../state-machine.ts'
import { createMemoryLog, type MemoryLog } from './memory-log.ts'

export interface MachineHostOptions<Event> {
  readonly machine: StateMachine<Event>
  /** An empty table; the host owns it from here on. */
  readonly table: WriteTable
  readonly author?: PublicKey
  /** Events kept for a slow stream; by default {@link STREAM_CAPACITY}. */
  readonly streamCapacity?: number
  /** Whether something lies below an epoch in the past of whatever is applied next; by default nothing does. */
  readonly isBelowEpoch?: (id: IntentionId) => boolean
  /** What the store has activated; by default the version of the machine. */
  readonly schema?: number
  /** What a method awaits between slices of long work: here others get their turns. By default nothing. */
  readonly pause?: () => Promise<void>
}

/** An operation of somebody else. Whatever is left out is made up: a new id, the next time, no deps. */
export interface ForeignOp {
  readonly payload: Uint8Array
  readonly id?: IntentionId
  readonly author?: PublicKey
  readonly timestamp?: Hlc
  readonly deps?: readonly IntentionId[]
  /** A log that was pruned at such an epoch: what is not known any more is taken for gone. */
  readonly isPruned?: boolean
}

export interface MachineHost<Event> extends Executor {
  readonly table: WriteTable
  /** Applies an operation as if it had arrived from a peer. */
  readonly deliver: (op: ForeignOp) => { readonly id: IntentionId; readonly outcome: OpOutcome<Event> }
  /** Everything that was applied, in order. */
  readonly applied: () => readonly AppliedOp[]
  readonly log: ReadLog
  /** Streams that are followed. */
  readonly subscribers: () => number
  /** Forgets the first so many operations that the log still has, as pruning does. */
  readonly cutLog: MemoryLog['cut']
  /** Makes every cursor that was given out one of another log, as repairing the log does. */
  readonly replaceLog: MemoryLog['replace']
}

const FIRST_AUTHOR = toPublicKey(new Uint8Array(PUBLIC_KEY_BYTES).fill(1))
/** Commits that a slow stream may be behind by default: enough for any example, small enough to test lagging. */
const STREAM_CAPACITY = 1024

export function createMachineHost<Event>({
  machine,
  table,
  author = FIRST_AUTHOR,
  streamCapacity = STREAM_CAPACITY,
  schema = machine.schemaVersion,
  pause = async () => Promise.resolve(),
  isBelowEpoch = () => false,
}: MachineHostOptions<Event>): MachineHost<Event> {
  const commits = createBroadcast<StreamEvents<Event>>({ capacity: streamCapacity })
  const ops: AppliedOp[] = []
  const past = createPast()
  const { log, append, cut, replace } = createMemoryLog()
  const exclusive = createExclusive()

  const deliver: MachineHost<Event>['deliver'] = (foreign) => {
    const count = ops.length + 1
    const op: AppliedOp = {
      id: foreign.id ?? counterId(count),
      author: foreign.author ?? author,
      timestamp: foreign.timestamp ?? { wall: count, counter: 0 },
      ...factsOf(past, foreign, isBelowEpoch),
      schema,
      payload: foreign.payload,
    }
    past.add(op)
    const outcome = machine.apply(table, op)
    ops.push(op)
    append(op, outcome.kind === 'rejected')
    if (outcome.kind === 'applied' && outcome.events.length > 0)
      commits.publish({ kind: 'events', events: outcome.events, cursor: log.cursor() })
    return { id: op.id, outcome }
  }
  const reading = { read: table, log, pause }
  const commandContext = (signal: CommandContext['signal']): CommandContext => ({
    ...reading,
    schema,
    signal,
    submit: async (payload, resolveDeps) => {
      assert(payload.length <= MAX_PAYLOAD_BYTES, 'a submitted payload fits an intention')
      // No author cites what lies below an epoch that it has seen.
      const deps = resolveDeps(table).filter((id) => !isBelowEpoch(id))
      assert(deps.length <= MAX_FOLDED_DEPS, 'a write cites at most what one ack holds')
      return deliver({ payload, deps }).id
    },
    exclusive,
  })
  const streamContext = (signal: CommandContext['signal']): StreamContext<Event> => ({
    ...reading,
    signal,
    changes: () => relabel(commits.subscribe(signal)),
  })

  return {
    table,
    deliver,
    applied: () => ops,
    log,
    subscribers: commits.subscribers,
    cutLog: cut,
    replaceLog: replace,
    exec: async (method, request, signal) => execMethod(machine, method, { request, context: commandContext(signal) }),
    query: (method, request, signal) => runQuery(machine, method, { request, context: { read: table, log, signal } }),
    execMany: async (method, requests, options) => {
      const plan = writePlanner(machine, method, schema)
      const write = ({ payload, deps }: PlannedWrite): unknown => deliver({ payload, deps: deps(table) })
      return writeMany((request) => write(plan(request)), requests, options)
    },
    pause,
    subscribe: (stream, params, signal) => openStream(machine, stream, { params, context: streamContext(signal) }),
  }
}

async function writeMany(
  write: (request: Uint8Array) => unknown,
  requests: ManyRequests,
  { signal, onProgress }: ExecManyOptions,
): Promise<ExecutedMany> {
  let written = 0
  for await (const part of Symbol.iterator in requests ? [requests] : requests) {
    for (const request of part) {
      signal?.throwIfAborted()
      write(request)
      written += 1
    }
    onProgress?.({ written })
  }
  return { written }
}

/** One task after the other. */
function createExclusive(): CommandContext['exclusive'] {
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const result = last.then(task)
    last = result.catch(() => undefined)
    return result
  }
}

function relabel<Event>(
  items: AsyncIterable<StreamEvents<Event> | { readonly lagged: number }>,
): AsyncIterable<StreamEvents<Event> | StreamLagged> {
  return mapItems(items, (item) => (isLagged(item) ? { kind: 'lagged', count: item.lagged } : item))
}

/** What the order of causes says of an operation. */
function factsOf(
  past: Past,
  { deps: cited = [], isPruned = false }: ForeignOp,
  isBelowEpoch: (id: IntentionId) => boolean,
): Pick<AppliedOp, 'deps' | 'follows' | 'covers'> {
  const deps = [...cited].sort(compareBytes)
  const isGone = (id: IntentionId): boolean => isPruned && !past.knows(id)
  return {
    deps,
    follows: (ancestor) => isGone(ancestor) || past.holds(deps, ancestor),
    covers: (other) => deps.some((dep) => equalBytes(dep, other)) || isBelowEpoch(other) || isGone(other),
  }
}

interface Past {
  readonly add: (op: AppliedOp) => void
  readonly knows: (id: IntentionId) => boolean
  readonly holds: (from: readonly IntentionId[], ancestor: IntentionId) => boolean
}

function createPast(): Past {
  const depsOf = new Map<string, readonly IntentionId[]>()
  return {
    add: (op) => void depsOf.set(idKey(op.id), op.deps),
    knows: (id) => depsOf.has(idKey(id)),
    holds: (from, ancestor) => {
      const target = idKey(ancestor)
      const seen = new Set<string>()
      const open = [...from]
      for (let id = open.pop(); id !== undefined; id = open.pop()) {
        const key = idKey(id)
        if (key === target) return true
        if (seen.has(key)) continue
        seen.add(key)
        open.push(...(depsOf.get(key) ?? []))
      }
      return false
    },
  }
}

function counterId(count: number): IntentionId {
  const id = new Uint8Array(HASH_BYTES)
  new DataView(id.buffer).setUint32(HASH_BYTES - 4, count)
  return toIntentionId(id)
}
