/**
 * A store in the hands of its user.
 *
 * The handle holds no kernel: it asks the manager each time, so it survives a store that closes and opens again, and
 * refuses with the reason while the store is not in use.
 *
 * @module
 */
import { fromBinary } from '@bufbuild/protobuf'
import { type BulkWrite, type BulkWrites, KernelClosed, type VerifyOptions, type VerifyReport } from '@lattice/kernel'
import {
  encodeUniversalOp,
  type IntentionId,
  isLagged,
  type ReadTable,
  type SExpr,
  type StoreId,
  sym,
  type UniversalOp,
} from '@lattice/model'
import { weaver } from '@lattice/proto'
import {
  createClient,
  describeMachine,
  execMethod,
  type ManyRequests,
  mapItems,
  openStream,
  type QueryContext,
  runQuery,
  schemaOfCommands,
  type StateMachine,
  type StreamEvents,
  type StreamLagged,
  writePlanner,
} from '@lattice/store-base'
import { readSchema, setChildAlias, setName } from '@lattice/systemstore'
import { activateStoreSchema } from './activate-schema.ts'
import { checkStoreName } from './create-store.ts'
import { epochPageOf } from './epoch-page.ts'
import { invalidArgument, repairUnderWay, storeTypeUnknown } from './errors.ts'
import { excludedPageOf } from './excluded-page.ts'
import { followEpoch } from './follow-epoch.ts'
import { createHistoryActs } from './history/prune-store.ts'
import { createStrandedActs } from './history/stranded-acts.ts'
import { invitePeer } from './invite-peer.ts'
import type { NodeContext } from './node-context.ts'
import type { RepairOptions, RepairResult, StoreHandle, StoreSummary } from './store-types.ts'
import type { OpenStore } from './open-store.ts'
import { createPeerActs } from './peer-acts.ts'
import { createProjectionProgress } from './projection-progress.ts'
import { createStoreActs } from './store-acts.ts'
import type { StoreEntry } from './store-entry.ts'
import { storeInUse } from './store-in-use.ts'
import type { StoreManager } from './store-manager.ts'
import { repairStore, unchanged, verifyStore } from './repair-store.ts'
import { whyHeld } from './write-hold.ts'
import { writingPeers } from './store-peers.ts'
import { viewInvites, viewPeers, viewStatus, viewSystemEntries } from './store-views.ts'
import { submitSystem } from './submit-system.ts'
import { syncStore } from './sync-store.ts'

export interface StoreHandleDeps {
  readonly context: NodeContext
  readonly manager: StoreManager
  readonly summaryOf: (id: StoreId) => StoreSummary
}

/** The handle of a known store. */
export function createStoreHandle(deps: StoreHandleDeps, id: StoreId): StoreHandle {
  const { context, manager } = deps
  const { tablesOf } = manager
  const store = (): OpenStore => storeInUse(manager, id)
  const summary = (): StoreSummary => deps.summaryOf(id)
  const acts = createStoreActs({ context, manager }, id)
  return {
    id,
    storeType: () => summary().storeType,
    name: () => summary().name,
    summary,
    state: () => summary().state,
    kernel: () => store().kernel,
    status: () => viewStatus(context, { store: store(), tablesOf }, summary()),
    stateSummary: async () => store().kernel.stateSummary(),
    setName: (name) => renameStore(deps, store(), name),
    invite: (invite = {}) => invitePeer(context, { store: store(), tablesOf, invite }),
    invites: () => viewInvites(store()),
    peers: () => viewPeers(context, { store: store(), tablesOf }),
    systemEntries: () => viewSystemEntries(store()),
    epochPage: (options) => epochPageOf(store(), options),
    followEpoch: (epoch, signal) => followEpoch(store(), epoch, signal),
    excludedPage: (options) => excludedPageOf(store(), options),
    activateSchema: async (version) =>
      activateStoreSchema(store(), { version, author: context.id, storeTypes: [...context.openers.keys()] }),
    summarize: (op) => summarize(store(), op),
    verify: (options = {}) => verify(deps, id, options),
    repair: (options = {}) => repair(deps, id, options),
    observations: () => store().kernel.observations(writingPeers(store().kernel.tables(), tablesOf)),
    acknowledge: async () => store().kernel.emitAck(),
    rebuild: (onProgress) => rebuild(context, store(), onProgress),
    retry: () => store().kernel.retry(),
    sync: (signal) => syncStore(context, { store: store(), tablesOf }, signal),
    ...acts,
    ...createPeerActs({ context, manager, store, leave: (signal) => acts.leave({ force: true, signal }) }),
    ...createHistoryActs({ context, tablesOf, kernelOf: manager.kernelOf, store }),
    ...createStrandedActs({ context, store }),
    ...machineCalls(context, store),
  }
}

/** One in use by its kernel; any other by its files. */
async function verify(
  { context, manager }: StoreHandleDeps,
  id: StoreId,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const entry = manager.entry(id)
  if (entry?.repairing === true) throw repairUnderWay(id)
  const report = await (entry?.open === undefined
    ? verifyStore(context, id, options)
    : entry.open.kernel.verify(options))
  context.health.verified(id, { atMs: context.clock.wallMs(), report })
  return report
}

async function repair(
  { context, manager }: StoreHandleDeps,
  id: StoreId,
  options: RepairOptions,
): Promise<RepairResult> {
  const { tablesOf, kernelOf } = manager
  const report = await verifyInUse(manager.entry(id), options)
  if (report?.outcome === 'sound') {
    if (options.acceptFork === true) context.meta.removeWriteHold(id)
    return { ...unchanged(report), held: whyHeldNow({ context, manager }, id) }
  }
  const result = await manager.closed.withClosed(id, async (entry, ending) => {
    const signal = options.signal === undefined ? ending : AbortSignal.any([options.signal, ending])
    const repaired = await repairStore({ context, entry, tablesOf, kernelOf, options, signal })
    context.health.replaced(id)
    return repaired
  })
  if (options.acceptFork === true) context.meta.removeWriteHold(id)
  return { ...result, held: whyHeldNow({ context, manager }, id) }
}

/** A store in use is looked at before it is closed for nothing. */
async function verifyInUse(entry: StoreEntry | undefined, options: RepairOptions): Promise<VerifyReport | undefined> {
  const { signal, onProgress } = options
  return entry?.open?.kernel.verify({
    ...(signal && { signal }),
    ...(onProgress && { onProgress: ({ done, total }) => onProgress({ stage: 'verifying', done, total }) }),
  })
}

function whyHeldNow(
  { context, manager }: Pick<StoreHandleDeps, 'context' | 'manager'>,
  id: StoreId,
): string | undefined {
  const open = manager.entry(id)?.open
  return open && whyHeld(context, open.kernel, manager.tablesOf)
}

function machineCalls(
  context: NodeContext,
  store: () => OpenStore,
): Pick<StoreHandle, 'exec' | 'execMany' | 'query' | 'subscribe' | 'pause' | 'describe' | 'open'> {
  const pause = async (): Promise<void> => new Promise<void>((resolve) => void context.scheduler.soon(resolve))
  // A store that was closed meanwhile is not read again.
  const pauseIn = (opened: OpenStore) => async (): Promise<void> => {
    await pause()
    if (store() !== opened) throw new KernelClosed(opened.id)
  }
  const machineOf = ({ machine, storeType }: OpenStore): StateMachine => {
    if (machine === undefined) throw storeTypeUnknown(storeType, [...context.openers.keys()])
    return machine
  }
  const exec: StoreHandle['exec'] = async (method, request, signal) => {
    const opened = store()
    const machine = machineOf(opened)
    const schema = writtenSchema(machine, opened)
    return execMethod(machine, method, {
      request,
      context: {
        ...queryContext(opened, signal),
        schema,
        submit: (payload, deps): Promise<IntentionId> =>
          opened.kernel.submit({ kind: 'appData', schema, value: payload }, { deps: (tables) => deps(tables.app) }),
        pause: pauseIn(opened),
        exclusive: opened.exclusive.run,
      },
    })
  }
  const query: NonNullable<StoreHandle['query']> = (method, request, signal) => {
    const opened = store()
    return runQuery(machineOf(opened), method, { request, context: queryContext(opened, signal) })
  }
  const execMany: StoreHandle['execMany'] = async (method, requests, options) => {
    const opened = store()
    const machine = machineOf(opened)
    const schema = writtenSchema(machine, opened)
    const { written } = await opened.kernel.submitMany(plannedWrites(machine, { method, schema }, requests), options)
    return { written }
  }
  const subscribe: StoreHandle['subscribe'] = (stream, params, signal) => {
    const opened = store()
    return openStream(machineOf(opened), stream, {
      params,
      context: {
        ...queryContext(opened, signal),
        changes: () => commits(opened.changes.subscribe(signal)),
        pause: pauseIn(opened),
      },
    })
  }
  return {
    exec,
    query,
    execMany,
    subscribe,
    pause,
    describe: () => describeMachine(machineOf(store())),
    open: (machine) => {
      const { storeType } = store()
      if (storeType !== machine.storeType) {
        throw invalidArgument(`the store is of type ${storeType}, not ${machine.storeType}: open it as what it is`)
      }
      return createClient(machine, { exec, execMany, query, subscribe, pause })
    },
  }
}

/** Whoever asked is told, and whoever follows the node. */
async function rebuild(
  context: NodeContext,
  { id, kernel }: OpenStore,
  onProgress: ((done: number, total: number) => void) | undefined,
): Promise<void> {
  const progress = createProjectionProgress((done, total) => {
    context.publish({ kind: 'projection_progress', storeId: id, done, total })
  })
  await kernel.rebuild((done, total) => {
    progress.report(done, total)
    onProgress?.(done, total)
  })
}

/** The writes of many requests, made as they are drawn. Throws for a method that is not one write. */
function plannedWrites(
  machine: StateMachine,
  { method, schema }: { readonly method: string; readonly schema: number },
  requests: ManyRequests,
): BulkWrites {
  const plan = writePlanner(machine, method, schema)
  function* writes(part: Iterable<Uint8Array>): Generator<BulkWrite, void, undefined> {
    for (const request of part) {
      const { payload, deps } = plan(request)
      yield { op: { kind: 'appData', schema, value: payload }, deps: ({ app }) => deps(app) }
    }
  }
  async function* parts(arriving: AsyncIterable<Iterable<Uint8Array>>): AsyncGenerator<Iterable<BulkWrite>> {
    for await (const part of arriving) yield writes(part)
  }
  return Symbol.iterator in requests ? writes(requests) : parts(requests)
}

function summarize({ projector }: OpenStore, op: UniversalOp): SExpr {
  if (op.kind === 'unknown') return sym('unknown')
  return projector.summarize(fromBinary(weaver.UniversalOpSchema, encodeUniversalOp(op)))
}

/** The latest schema that the store has activated and the machine's commands need. Where that is the first there is no look. */
function writtenSchema(machine: StateMachine, { kernel }: OpenStore): number {
  const schema = schemaOfCommands(machine)
  return schema === 1 ? 1 : Math.min(schema, readSchema(kernel.tables().system))
}

/** A table that is read as of the last commit, however long the reader keeps it. */
function queryContext({ kernel, log }: OpenStore, signal: AbortSignal): QueryContext {
  const read: ReadTable = {
    get: (key) => kernel.tables().app.get(key),
    peek: (key) => kernel.tables().app.peek?.(key),
    scan: (range) => kernel.tables().app.scan(range),
  }
  return { read, log, signal }
}

type Commit = StreamEvents<unknown> | StreamLagged

/** Subscribed when called, not when first iterated. */
function commits(items: AsyncIterable<Commit | { readonly lagged: number }>): AsyncIterable<Commit> {
  return mapItems(items, (item) => (isLagged(item) ? { kind: 'lagged', count: item.lagged } : item))
}

/** A root is named in itself, a child in its parent. */
async function renameStore({ context, manager }: StoreHandleDeps, store: OpenStore, name: string): Promise<void> {
  checkStoreName(name)
  const author = context.id
  const parentId = manager.entry(store.id)?.record.parentId
  const options = { author, act: 'rename the store' }
  if (parentId === undefined) await submitSystem(store.kernel, [setName({ author, name })], options)
  else {
    const alias = setChildAlias({ author, child: store.id, alias: name })
    await submitSystem(storeInUse(manager, parentId).kernel, [alias], options)
  }
  // Names are shown as the manager read them last.
  await manager.settle()
}
