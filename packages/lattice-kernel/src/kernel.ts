/**
 * One store's kernel: the works of its single writer, and the surface everybody uses.
 *
 * @module
 */
import { InvariantViolation, type PublicKey } from '@lattice/model'
import type { StateDatabase } from '@lattice/storage'
import type { Core } from './core.ts'
import { KernelClosed, ProjectionStalled } from './errors.ts'
import { createFutureTimer } from './future-timer.ts'
import { createIngestQueue } from './ingest-queue.ts'
import { createCatchUp, createJobQueue, createPump, createWitnessAll } from './jobs.ts'
import type { Kernel } from './kernel-types.ts'
import type { Projection } from './projection.ts'
import { createReading } from './reading.ts'
import { createRebuild } from './rebuild.ts'
import { createReplication } from './replication.ts'
import { createSubmitQueue } from './submit-queue.ts'
import { createWaiters } from './waiters.ts'
import { createWorkLoop, type Work } from './work-loop.ts'

export interface StartedKernel {
  readonly kernel: Kernel
  /** Resolves when state reflects the log as it was opened, or stands stalled. */
  readonly caughtUp: () => Promise<void>
}

/** Starts the writer over an assembled core and makes everything in its pool wait for the right thing. */
export function createKernel(core: Core, projectionOver: (state: StateDatabase) => Projection): StartedKernel {
  const { options, log, pool, time, witnesser } = core
  const { storeId, scheduler, logger } = options
  const submits = createSubmitQueue(core)
  const ingests = createIngestQueue(core)
  const jobs = createJobQueue()
  const waiters = createWaiters()
  const catchUp = createCatchUp(core, () => {
    options.onRebuild?.(core.projection().appliedSeq(), log.meta().headSeq)
  })
  const timer = createFutureTimer({ scheduler, nowMs: time.nowMs, waiting: pool.inFuture, onDue: recheckTime })
  const arm: Work = {
    step: () => {
      timer.arm()
      return undefined
    },
  }
  const loop = createWorkLoop(
    scheduler,
    [catchUp, submits, ingests, jobs, createPump(core, ingests.isBusy), arm],
    onBug,
  )
  let closing: Promise<void> | undefined

  function onBug(error: unknown): void {
    logger.error('store writer failed', { error })
    if (error instanceof InvariantViolation) throw error
  }

  function recheckTime(): void {
    witnesser.consider([...pool.inFuture()])
    loop.wake()
  }

  async function accept<T>(work: () => Promise<T>): Promise<T> {
    if (closing !== undefined) throw new KernelClosed(storeId)
    const done = work()
    loop.wake()
    return done
  }

  async function shutDown(): Promise<void> {
    await loop.idle()
    timer.cancel()
    waiters.rejectAll(new KernelClosed(storeId))
    core.projection().state.close()
    log.close()
  }

  function recheckStep(): () => boolean {
    const witnessAll = createWitnessAll(core)
    let isFirst = true
    return () => {
      if (isFirst) {
        isFirst = false
        core.recheckAdmission()
        witnesser.consider([...pool.inFuture()])
      }
      return witnessAll()
    }
  }

  function retryStep(): boolean {
    const projection = core.projection()
    if (projection.stalled() === undefined) return true
    projection.resume()
    core.events.notify({ kind: 'resumed', appliedSeq: projection.appliedSeq() })
    core.project([], 1)
    const stalled = projection.stalled()
    if (stalled !== undefined) throw new ProjectionStalled(stalled.seq, stalled.id, stalled.error)
    return true
  }

  core.witnessed.add(({ intentions }) => {
    for (const { id } of intentions) waiters.witnessed(id)
  })
  witnesser.restart(pool.load())
  const close = async (): Promise<void> => {
    closing ??= shutDown()
    return closing
  }

  const kernel: Kernel = {
    storeId,
    ...createReading(core),
    ...createReplication(core),
    submit: async (op, submitOptions = {}) => accept(async () => submits.submit(op, submitOptions)),
    ingest: async (batch, source: PublicKey | undefined) => accept(async () => ingests.ingest(batch, source)),
    recheckFloating: async () => accept(async () => jobs.run(recheckStep())),
    waitFor: async (id, signal) => {
      if (closing !== undefined) throw new KernelClosed(storeId)
      if (log.find(id) === undefined) await waiters.wait(id, signal)
    },
    rebuild: async (onProgress) => accept(async () => jobs.run(createRebuild(core, projectionOver, onProgress))),
    retry: async () => accept(async () => jobs.run(retryStep)),
    onWitnessed: core.witnessed.add,
    onProjected: core.projected.add,
    onEvent: core.events.add,
    close,
    [Symbol.asyncDispose]: close,
  }
  return {
    kernel,
    caughtUp: async () => {
      loop.wake()
      await loop.idle()
    },
  }
}
