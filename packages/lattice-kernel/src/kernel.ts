/**
 * One store's kernel: the surface everybody uses.
 *
 * @module
 */
import { type AskedBeside, type AskedBesideWork, createAskedBeside } from './asked-beside.ts'
import { type AutomaticWrites, createAutomaticWrites } from './automatic-writes.ts'
import { createKernelCopies, type KernelCopies } from './copy-kernel.ts'
import type { Core } from './core.ts'
import { guardDamage } from './damage-guard.ts'
import { createEpochWaits } from './epoch-waits.ts'
import { KernelClosed } from './errors.ts'
import { finishState } from './finish-state.ts'
import { guardOver } from './guard-over.ts'
import type { Kernel } from './kernel-types.ts'
import { createPlanPrune } from './plan-prune.ts'
import { createReading } from './reading.ts'
import type { ProjectionFactory } from './projection.ts'
import { createPruning, type Pruning } from './pruning.ts'
import { createRebuilding, type Rebuilding } from './rebuild.ts'
import { createRemovalProofs, type RemovalProofs } from './removal-proof.ts'
import { createReplication } from './replication.ts'
import type { SnapshotReads } from './snapshot-types.ts'
import { createSnapshots, type Snapshots } from './snapshots.ts'
import { createStoreFailure, type StoreFailure } from './store-failure.ts'
import { verifyKernel, type VerifyKernelDeps } from './verify-kernel.ts'
import { createSubmitMany } from './submit-many.ts'
import { createWaiters, type Waiters } from './waiters.ts'
import { createRecheck, createRetry, createWriter, type Writer } from './writer.ts'

export interface StartedKernel {
  readonly kernel: Kernel
  /** Resolves when state reflects the log as it was opened, or stands stalled. */
  readonly caughtUp: () => Promise<void>
  /** The kernel is in use from here on. */
  readonly opened: () => void
}

/** Starts the writer over an assembled core and makes everything in its pool wait for the right thing. */
export function createKernel(core: Core, projectionOver: ProjectionFactory): StartedKernel {
  const { log, pool, witnesser } = core
  const { storeId } = core.options
  let closing: Promise<void> | undefined
  const isOpen = (): boolean => closing === undefined
  const failure = createStoreFailure(core)
  const rebuilding = createRebuilding({ core, createProjectionOver: projectionOver, whole: () => snapshots.whole() })
  const snapshots = createSnapshots(core, projectionOver, () => writer.wake())
  const pruning = createPruning({
    core,
    projectionOver,
    snapshots,
    isHeld: () => copies.isBusy() || rebuilding.isBusy() || verifying.isBusy(),
    wake: () => writer.wake(),
  })
  const asked = createAskedBeside({ core, projectionOver, snapshots, wake: () => writer.wake() })
  const writer = createWriter(core, { rebuilding, snapshots, pruning, asked, ...failure })
  const waiters = createWaiters()
  const verifying = createVerifying({ core, createProjectionOver: projectionOver, isOpen, snapshots }, writer.wake)
  const copies = createKernelCopies({ core, snapshots, onEnd: () => writer.wake() })
  const writes = writesOf(writer)
  const { rootOf = snapshots.rootOf } = core.options
  const automatic = createAutomaticWrites({ core, ...writes, rootOf, keptRoot: snapshots.keptRoot })
  const tellSettlement = settlementTold(core)
  const jobs = jobsOf({ core, writer, rebuilding, tellSettlement, automatic })
  const proofs = createRemovalProofs(core, jobs.recheckFloating)

  const close = async (): Promise<void> =>
    (closing ??= shutDown({ core, failure, snapshots, pruning, asked, copies, automatic, proofs, writer, waiters }))

  core.witnessed.add(({ intentions }) => {
    for (const { id } of intentions) waiters.witnessed(id)
    tellSettlement()
  })
  witnesser.restart(pool.load())

  const reads = snapshots.reads(writer.accept)
  const kernel: Kernel = {
    storeId,
    ...guardedReads(readsOf(core, isOpen, { ...reads, asked }), failure.onFailed),
    verify: verifying.verify,
    ...writes,
    ...reads,
    ...pruning.reads,
    openRemovalProof: proofs.open,
    emitAck: automatic.emitAck,
    ...jobs,
    waitFor: async (id, signal) => {
      if (closing !== undefined) throw new KernelClosed(storeId)
      if (log.find(id) === undefined) await waiters.wait(id, signal)
    },
    scrubbed: failure.scrubbed,
    copyTo: copies.copyTo,
    ...subscriptionsTo(core),
    close,
    [Symbol.asyncDispose]: close,
  }
  return {
    kernel,
    caughtUp: writer.idle,
    opened: () => {
      writer.wake()
      failure.watch(writer.isBusy)
      tellSettlement()
      automatic.start()
      pruning.start()
      snapshots.start()
    },
  }
}

function writesOf({
  accept,
  submits,
  bulks,
  ingests,
}: Writer): Pick<Kernel, 'submit' | 'submitEpoch' | 'submitMany' | 'ingest'> {
  return {
    submit: async (op, options = {}) => accept(async () => submits.submit(op, options)),
    submitEpoch: async (wish) => accept(async () => submits.submitEpoch(wish)),
    submitMany: createSubmitMany(async (job, writes) => accept(async () => bulks.write(job, writes))),
    ingest: async (batch, source) => accept(async () => ingests.ingest(batch, source)),
  }
}

interface JobsDeps {
  readonly core: Core
  readonly writer: Pick<Writer, 'accept' | 'jobs'>
  readonly rebuilding: Pick<Rebuilding, 'job'>
  readonly tellSettlement: () => void
  readonly automatic: AutomaticWrites
}

/** What the writer does between other work, when it is asked to. */
function jobsOf({
  core,
  writer,
  rebuilding,
  tellSettlement,
  automatic,
}: JobsDeps): Pick<Kernel, 'recheckFloating' | 'rebuild' | 'retry'> {
  const { accept, jobs } = writer
  return {
    recheckFloating: async () => {
      await accept(async () => jobs.run(createRecheck(core, tellSettlement)))
      automatic.reconsider()
    },
    rebuild: async (onProgress) => accept(async () => jobs.run(rebuilding.job(onProgress))),
    retry: async () => accept(async () => jobs.run(createRetry(core))),
  }
}

interface ReadsDeps extends Pick<SnapshotReads, 'snapshot'> {
  readonly asked: AskedBeside
}

/** What is asked of the log, and of state. */
function readsOf(core: Core, isOpen: () => boolean, { snapshot, asked }: ReadsDeps) {
  return {
    ...createReading(core, () => !isOpen()),
    ...createReplication(core, asked),
    ...createPlanPrune({ core, snapshot, base: core.log.base.epoch }),
  }
}

function guardedReads(
  reads: ReturnType<typeof readsOf>,
  onDamage: StoreFailure['onFailed'],
): ReturnType<typeof readsOf> {
  return guardDamage({ ...reads, ...guardOver(reads, onDamage) }, onDamage)
}

interface Verifying {
  readonly verify: Kernel['verify']
  readonly isBusy: () => boolean
}

/** `onEnd`: what was held back meanwhile may go on. */
function createVerifying(deps: VerifyKernelDeps, onEnd: () => void): Verifying {
  let count = 0
  return {
    verify: async (options = {}) => {
      count += 1
      try {
        return await verifyKernel(deps, options)
      } finally {
        count -= 1
        onEnd()
      }
    },
    isBusy: () => count > 0,
  }
}

interface Running {
  readonly core: Core
  readonly failure: StoreFailure
  readonly snapshots: Snapshots
  readonly pruning: Pruning
  readonly asked: Pick<AskedBesideWork, 'stop'>
  readonly copies: KernelCopies
  readonly automatic: AutomaticWrites
  readonly proofs: RemovalProofs
  readonly writer: Writer
  readonly waiters: Waiters
}

async function shutDown(running: Running): Promise<void> {
  const { core, failure, snapshots, pruning, asked, copies, automatic, proofs, writer, waiters } = running
  failure.stop()
  snapshots.stop()
  pruning.stop()
  asked.stop()
  proofs.close()
  const ended = Promise.all([copies.close(), automatic.close()])
  await writer.close()
  await ended
  await snapshots.close()
  waiters.rejectAll(new KernelClosed(core.options.storeId))
  const { flush, state } = core.projection()
  try {
    await finishState(flush, core.options.scheduler)
    state.close()
  } finally {
    core.log.close()
  }
}

function subscriptionsTo({
  witnessed,
  projected,
  events,
}: Core): Pick<Kernel, 'onWitnessed' | 'onProjected' | 'onEvent'> {
  return { onWitnessed: witnessed.add, onProjected: projected.add, onEvent: events.add }
}

/** Tells what is settled now, and whom the newest epochs wait for. What was so before the kernel was in use is not told. */
function settlementTold(core: Core): () => void {
  const { settlement, events } = core
  const waits = createEpochWaits(core)
  return () => {
    const [settled, waiting] = [settlement.news(), waits()]
    for (const { record } of settled) {
      events.notify({ kind: 'epoch_settled', id: record.id, seq: record.op.value.seq })
    }
    for (const notice of waiting) events.notify(notice)
  }
}
