/**
 * One open store: its kernel with the system layer and the machine of its type, and what the rest of the node needs of
 * them.
 *
 * A store whose type has no opener is opened without a machine: it replicates and is served, and its app data waits.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  finishReplacement,
  type Kernel,
  KernelClosed,
  type KernelEvent,
  LogDamaged,
  openKernel,
  type ProjectedNotice,
  type StalledProjection,
  WriteRefused,
} from '@lattice/kernel'
import {
  type AbortSignal,
  assert,
  type Broadcast,
  createAbortController,
  createBroadcast,
  parseStoreType,
  type PublicKey,
  type SignedIntention,
  type StoreId,
} from '@lattice/model'
import type { ReplicatedStore } from '@lattice/net-types'
import type { Projector, ReadLog, ReadStoreTables, StateMachine, StreamEvents, StreamLagged } from '@lattice/store-base'
import { createStoreMembershipPolicy, createSystemLayer } from '@lattice/systemstore'
import { createStrandedList, type StrandedList } from './history/stranded-list.ts'
import { createInheritedAuthority } from './inherited-authority.ts'
import { createLogCursors, type LogCursors } from './log-cursor.ts'
import { createMutex, type Mutex } from './mutex.ts'
import type { NodeContext } from './node-context.ts'
import { createParentPeers } from './parent-peers.ts'
import { createProjectionProgress } from './projection-progress.ts'
import { createReadLog } from './read-log.ts'
import { createReplicatedStore } from './replicated-store.ts'
import { isReplicaPeer, peerHolder } from './store-peers.ts'
import { whyHeld } from './write-hold.ts'

/** Commits kept for a watcher that falls behind before it is told so: a second of busy writing. */
const CHANGES_CAPACITY = 1024

/** Commands of a store that wait for long work before theirs: each holds a request of up to a frame. */
const MAX_WAITING_COMMANDS = 16

/** What a commit changed, or that the state was made anew and may read differently without one. */
type StoreChange = StreamEvents<unknown> | StreamLagged

export interface OpenStore {
  readonly id: StoreId
  readonly storeType: string
  readonly machine: StateMachine | undefined
  readonly projector: Projector
  readonly kernel: Kernel
  readonly replicated: ReplicatedStore
  /** The machine's view of the log. */
  readonly log: ReadLog
  /** The machine's events, commit by commit. */
  readonly changes: Broadcast<StoreChange>
  /** Own writes that were put aside when it began anew. */
  readonly stranded: StrandedList
  /** Work of the machine's commands that is done one at a time. */
  readonly exclusive: Mutex
  /** Aborts as it closes. */
  readonly closed: AbortSignal
  /** Idempotent. */
  readonly close: () => Promise<void>
}

export interface OpenStoreOptions {
  readonly id: StoreId
  /** What is believed of its type until the genesis is here. */
  readonly storeTypeHint: string
  /** Where this node creates the store. */
  readonly genesis?: SignedIntention
  /** The tables of another open store, for stores that inherit their peers. */
  readonly tablesOf: (id: StoreId) => ReadStoreTables | undefined
  /** The same of their kernels. */
  readonly kernelOf: (id: StoreId) => Kernel | undefined
  /** After each commit that changed the system table. */
  readonly onSystemChange: () => void
  /** The store cannot go on; whoever owns it closes it. */
  readonly onFailed: (error: Error) => void
  /** Only to be looked at: this node writes nothing, not even by itself. */
  readonly readOnly?: boolean
  /** Whether this node was removed from the store by one above it. What the store's own epochs say the kernel knows. */
  readonly isRevoked?: () => boolean
  /** Where its files are, when not in their place. */
  readonly directory?: string
  /** Refuses a store whose log is not there: it was in use already. */
  readonly mustExist: boolean
}

/** Opens a store. Rejects with what `openKernel` rejects with; nothing stays open then. */
export async function openStore(context: NodeContext, options: OpenStoreOptions): Promise<OpenStore> {
  const { id, genesis, tablesOf, kernelOf } = options
  const directory = options.directory ?? context.directory.storePath(id)
  finishReplacement(directory)
  if (options.mustExist) assertLogExists(directory)
  // Only the log says for sure what the store is.
  let opened: OpenedAs | undefined
  const hold = createHold(context, options)
  const progress = createProjectionProgress((done, total) => {
    context.publish({ kind: 'projection_progress', storeId: id, done, total })
    // While a node starts, nobody follows its events yet.
    context.logger.info('store.projecting', { storeId: id, done, total })
  })
  const kernel = await openKernel({
    directory,
    storeId: id,
    ...(genesis === undefined ? {} : { genesis }),
    projecting: (found) => {
      opened = openAs(context, found ?? options.storeTypeHint)
      return { projector: opened.projector, snapshots: opened.machine !== undefined }
    },
    authority: createInheritedAuthority(tablesOf),
    membership: createStoreMembershipPolicy(createParentPeers({ kernelOf, tablesOf })),
    signer: context.signer,
    crypto: context.crypto,
    ...(context.verifier === undefined ? {} : { verifier: context.verifier }),
    clock: context.clock,
    scheduler: context.scheduler,
    logger: context.logger,
    onRebuild: progress.report,
    holdWrites: hold.why,
    ...(context.fileCheck === undefined ? {} : { fileCheck: context.fileCheck }),
    ...(context.fileWork === undefined ? {} : { fileWork: context.fileWork }),
    ...(context.scrub === undefined || options.directory !== undefined ? {} : { scrub: context.scrub }),
    peerTime: () => context.network()?.peerTime(),
    ...(context.ackDelayMs === undefined ? {} : { ackDelayMs: context.ackDelayMs }),
    ...(context.storageHooks === undefined ? {} : { storageHooks: context.storageHooks }),
  })
  assert(opened !== undefined, 'a kernel is opened with a projector')
  const { storeType, machine, projector } = opened
  hold.watch(kernel)
  const ended = createAbortController()
  const changes = createBroadcast<StoreChange>({ capacity: CHANGES_CAPACITY })
  const cursors = createLogCursors(context.crypto, projector.version)
  // What goes on in files that are not in place yet is whoever's repairs them.
  const publish = options.directory === undefined ? context.publish : (): void => undefined
  followKernel({ ...context, publish }, kernel, { ...options, changes, cursors })
  const replicated = createReplicatedStore({
    kernel,
    storeType,
    mayReplicate: (peer: PublicKey) => isReplicaPeer(kernel.tables(), peer, tablesOf),
    isInherited: () => peerHolder(kernel.tables(), tablesOf).id !== undefined,
  })
  return {
    id,
    storeType,
    machine,
    projector,
    kernel,
    replicated,
    log: createReadLog(kernel, cursors),
    changes,
    stranded: createStrandedList(directory, kernel),
    exclusive: createMutex({ capacity: MAX_WAITING_COMMANDS }),
    closed: ended.signal,
    close: async () => {
      ended.abort(new KernelClosed(id))
      changes.close()
      await kernel.close()
    },
  }
}

/** As what a store is opened. */
type OpenedAs = Pick<OpenStore, 'storeType' | 'machine' | 'projector'>

function openAs(context: NodeContext, storeType: string): OpenedAs {
  const machine = openMachine(context, storeType)
  return { storeType, machine, projector: createSystemLayer(machine === undefined ? {} : { machine }) }
}

/** What opens stores of the type; undefined where nothing here does. */
export function openMachine(context: NodeContext, storeType: string): StateMachine | undefined {
  const parsed = parseStoreType(storeType)
  return parsed.ok ? context.openers.get(parsed.value)?.() : undefined
}

/** A store that was in use has a log. An empty one in its place would let this node begin its chain again. */
function assertLogExists(directory: string): void {
  const path = join(directory, 'log.db')
  if (!existsSync(path)) throw new LogDamaged(path, { record: 'the database file', problem: 'it is missing' })
}

interface Hold {
  readonly why: () => string | undefined
  readonly watch: (kernel: Kernel) => void
}

/** Asks `meta.db` while there is a hold, and no more once it is over. */
function createHold(context: NodeContext, { id, tablesOf, directory, readOnly, isRevoked }: OpenStoreOptions): Hold {
  if (readOnly === true) {
    return { why: () => 'the store is open to be read: use it to write to it', watch: () => undefined }
  }
  let kernel: Kernel | undefined
  let isHeld = directory !== undefined || context.meta.writeHold(id) !== undefined
  return {
    why: () => {
      if (isRevoked?.() === true) {
        throw new WriteRefused(
          'REVOKED',
          'this node was removed from the store above this one, and what it wrote would count nowhere: ask an admin for an invitation',
        )
      }
      if (!isHeld) return undefined
      if (kernel === undefined || directory !== undefined) return 'the store is being repaired: try again once it is'
      const why = whyHeld(context, kernel, tablesOf)
      isHeld = why !== undefined
      return why
    },
    watch: (opened) => {
      kernel = opened
    },
  }
}

interface KernelFollower {
  readonly onFailed: (error: Error) => void
  readonly changes: Broadcast<StoreChange>
  readonly cursors: LogCursors
  readonly onSystemChange: () => void
}

/** Hands on what the kernel reports. The listeners end with the kernel. */
function followKernel(
  context: NodeContext,
  kernel: Kernel,
  { changes, cursors, onSystemChange, onFailed }: KernelFollower,
): void {
  const { storeId } = kernel
  kernel.onProjected((notice) => {
    const { ops } = notice
    const events = ops.flatMap((op) => (op.kind === 'appData' ? op.events : []))
    if (events.length > 0) changes.publish({ kind: 'events', events, cursor: cursors.encode(notice) })
    if (ops.some(changesSystem)) onSystemChange()
  })
  kernel.onEvent((event) => {
    if (event.kind === 'fork_detected') context.publish({ kind: 'fork_detected', storeId, author: event.author })
    if (event.kind === 'epoch_settled' || event.kind === 'epoch_waiting') {
      const { id: epoch, ...rest } = event
      context.publish({ ...rest, storeId, epoch })
    }
    if (isPassedOn(event)) context.publish({ ...event, storeId })
    if (event.kind === 'stalled') tellStalled(context, storeId, event)
    if (event.kind === 'failed') onFailed(event.error)
    if (event.kind === 'resumed') context.publish({ kind: 'resumed', storeId, appliedSeq: event.appliedSeq })
    if (event.kind === 'rebuilt') context.publish({ kind: 'rebuilt', storeId, appliedSeq: event.appliedSeq })
    if (event.kind === 'removal_shown') onSystemChange()
    if (event.kind !== 'rebuilt') return
    // The tables were made anew: whatever was read from them may read differently now.
    onSystemChange()
    changes.publish({ kind: 'lagged', count: 0 })
  })
  // While it was opened, nobody listened yet.
  const { stalled } = kernel.projection()
  if (stalled !== undefined && stalled.waitsFor === undefined) tellStalled(context, storeId, stalled)
}

type PassedOn = Extract<KernelEvent, { kind: 'excluded' | 'state_divergence' | 'prune_progress' | 'pruned' }>

/** Told of the node as the kernel tells it of the store. */
function isPassedOn(event: KernelEvent): event is PassedOn {
  const { kind } = event
  return kind === 'excluded' || kind === 'state_divergence' || kind === 'prune_progress' || kind === 'pruned'
}

/** An epoch changes who the peers are, or what those of the stores below follow. */
function changesSystem({ kind, rejected }: ProjectedNotice['ops'][number]): boolean {
  return kind === 'genesis' || ((kind === 'system' || kind === 'epoch') && rejected === undefined)
}

function tellStalled(context: NodeContext, storeId: StoreId, stalled: StalledProjection): void {
  const { seq, id: intentionId, since } = stalled
  const error = stalled.error instanceof Error ? stalled.error.message : String(stalled.error)
  context.publish({ kind: 'stalled', storeId, seq, intentionId, error, since })
  context.logger.warn('store.stalled', { storeId, seq, error })
}
