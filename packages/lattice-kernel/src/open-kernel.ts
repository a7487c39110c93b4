/**
 * Opens a store's history and state, and puts the kernel together.
 *
 * @module
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { isLatticeError, type StoreType } from '@lattice/model'
import { LogDamaged, type StateDatabase, StorageFailed, translateStorageError } from '@lattice/storage'
import { RangeIndexDamaged } from '@lattice/sync'
import { createAppliedCuts } from './applied-cuts.ts'
import { type Core, createCore } from './core.ts'
import { createDagQueries } from './dag-queries.ts'
import { MAX_FLOATING, MAX_FLOATING_BYTES } from './floating-quota.ts'
import { createEpochCover } from './epoch-cover.ts'
import { createFloatingPool } from './floating-pool.ts'
import { createKernel, type StartedKernel } from './kernel.ts'
import { createKernelTime } from './kernel-time.ts'
import type { Kernel } from './kernel-types.ts'
import type { KernelOptions } from './kernel-options.ts'
import { createListeners } from './listeners.ts'
import { createLogStore, type LogStore } from './log-store.ts'
import { LOG_FILE } from './log-schema.ts'
import { openLog } from './open-log.ts'
import { openState } from './open-state.ts'
import { createProjection, type ProjectionFactory } from './projection.ts'
import type { Removals } from './removal-limits.ts'
import { createRemovals } from './removals.ts'
import { finishReplacement } from './replace-log.ts'
import { createRunStanding } from './run-standing.ts'
import { createUnfolding } from './unfold-deps.ts'
import { createWitnesser } from './witnesser.ts'

/** What a store's log is projected by. */
export type Projecting = Pick<KernelOptions, 'projector' | 'snapshots'>

/** For a caller that learns from the log which projector it takes. */
export interface LateKernelOptions extends Omit<KernelOptions, keyof Projecting> {
  /** Called once, with the type that the log says the store is of: undefined before its genesis is there. */
  readonly projecting: (storeType: StoreType | undefined) => Projecting
}

/**
 * Opens the store in `options.directory`; resolves when its state reflects its log, or stands stalled. Rejects with
 * `LogDamaged`, `SchemaTooNew`, `DiskFull` or `StorageFailed`; then nothing is left open.
 */
export async function openKernel(given: KernelOptions | LateKernelOptions): Promise<Kernel> {
  const { directory, storageHooks } = given
  createDirectory(directory)
  finishReplacement(directory)
  const { database, meta } = readingLog(join(directory, LOG_FILE), () =>
    openLog({ ...given, ...(storageHooks && { hooks: storageHooks }) }),
  )
  const { close, ...beside } = besideLog(given)
  let started: StartedKernel | undefined
  let state: StateDatabase | undefined
  try {
    const options = 'projector' in given ? given : { ...given, ...given.projecting(meta.storeType) }
    const { log, pool } = readingLog(database.path, () => ({
      log: createLogStore({ ...options, ...beside, database, opened: meta }),
      pool: createFloatingPool(database, { count: MAX_FLOATING, bytes: MAX_FLOATING_BYTES }),
    }))
    state = openState({
      ...options,
      projectorVersion: options.projector.version,
      log,
      ...(storageHooks && { hooks: storageHooks }),
    })
    const opened = { log, pool, state }
    started = readingLog(database.path, () => createKernel(...assemble(options, opened)))
    await started.caughtUp()
    await ensureGenesis(started.kernel, options)
    started.opened()
    return started.kernel
  } catch (error) {
    if (started === undefined) {
      state?.close()
      close()
      database.close()
    } else await started.kernel.close()
    throw error
  }
}

interface BesideLog extends Pick<Parameters<typeof createLogStore>[0], 'removalsOf'> {
  /** Where the log was not opened to its end, which would have closed it. */
  readonly close: () => void
}

/** Without a policy there are no epochs that could remove anybody. */
function besideLog({
  membership,
  ...options
}: Pick<KernelOptions, 'membership' | 'directory' | 'storeId' | 'crypto' | 'signer'>): BesideLog {
  let removals: Removals | undefined
  const close = (): void => removals?.close()
  if (membership === undefined) return { close }
  return { removalsOf: (book) => (removals = createRemovals({ ...options, membership, book })), close }
}

/** What is read at open was checked when it was written: whatever cannot make sense of it now has met damage. */
function readingLog<T>(path: string, load: () => T): T {
  try {
    return load()
  } catch (error) {
    if (isLatticeError(error) && !(error instanceof RangeIndexDamaged)) throw error
    const problem = error instanceof Error ? error.message : String(error)
    throw new LogDamaged(path, { record: 'what is read at open', problem, cause: error })
  }
}

interface Opened {
  readonly log: LogStore
  readonly pool: ReturnType<typeof createFloatingPool>
  readonly state: StateDatabase
}

function assemble(options: KernelOptions, { log, pool, state }: Opened): [Core, ProjectionFactory] {
  const { projector, authority, logger, clock } = options
  const dag = createDagQueries(log)
  const { depsOf } = createUnfolding(log)
  const cover = createEpochCover(log, dag)
  const cuts = createAppliedCuts({
    crypto: options.crypto,
    now: log.excluded.cuts,
    lane: log.authors.lane,
    seqAt: log.reach.seqAt,
    isBelow: log.base.isBelow,
    firstKept: (lane) => log.base.lastOf(lane) + 1,
    entryAt: log.entryAt,
    isAppended: ({ meta }) => meta.seq <= log.meta().headSeq,
    follows: dag.follows,
  })
  const self = options.signer.publicKey
  const standing = createRunStanding({
    limits: log.excluded,
    floating: pool.get,
    find: log.find,
    isAncestor: log.reach.isAncestor,
  })
  const shared = { projector, depsOf, cuts, clock, logger, follows: dag.follows, isBelowEpoch: cover.isBelowEpoch }
  const projectionOver: ProjectionFactory = (state, other = {}) => createProjection({ state, ...shared, ...other })
  const time = createKernelTime({
    clock,
    last: log.meta().hlc,
    highestWall: () => log.meta().highestWall,
    peerTime: options.peerTime,
  })
  const core = createCore(
    {
      options,
      log,
      pool,
      time,
      dag,
      standing,
      cover,
      cuts,
      projector,
      authority,
      witnessed: createListeners(logger),
      projected: createListeners(logger),
      events: createListeners(logger),
    },
    {
      projection: projectionOver(state),
      createWitnesser: ({ admits, admitsByUse }) =>
        createWitnesser({ self, log, pool, time, admits, admitsByUse, standing, cover }),
    },
  )
  return [core, projectionOver]
}

function createDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw translateStorageError(error, { path: directory, contents: 'log' })
  }
}

/** A genesis goes in as everything does. */
async function ensureGenesis(kernel: Kernel, { genesis, directory }: KernelOptions): Promise<void> {
  if (genesis === undefined) return
  const [outcome] = await kernel.ingest([genesis], undefined)
  if (outcome?.kind === 'witnessed' || outcome?.kind === 'duplicate') return
  const reason = outcome?.kind === 'invalid' ? outcome.code : 'not witnessed'
  throw new StorageFailed(directory, `its genesis is refused (${reason})`)
}
