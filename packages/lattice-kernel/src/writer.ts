/**
 * The single writer of a store: its works, its timer, and the way in and out.
 *
 * A step that throws has met damage or a bug. The writer then stands still for good: what waits and what comes later is
 * rejected with that error, reading goes on, and opening the store again starts from the disk.
 *
 * @module
 */
import { type BulkQueue, createBulkQueue } from './bulk-queue.ts'
import type { Core } from './core.ts'
import { KernelClosed, ProjectionStalled } from './errors.ts'
import { createFlushWork } from './flush-work.ts'
import { createFutureTimer } from './future-timer.ts'
import { createIngestQueue, type IngestQueue } from './ingest-queue.ts'
import {
  createCatchUp,
  createCheckpointing,
  createExcluding,
  createJobQueue,
  createPump,
  createWitnessAll,
  type JobQueue,
  type JobStep,
  RECORDS_PER_STEP,
} from './jobs.ts'
import type { Rebuilding } from './rebuild.ts'
import { createRestating } from './restating.ts'
import { createSubmitQueue, type SubmitQueue } from './submit-queue.ts'
import { createWorkLoop, type Work } from './work-loop.ts'

export interface Writer {
  readonly submits: SubmitQueue
  readonly bulks: BulkQueue
  readonly ingests: IngestQueue
  readonly jobs: JobQueue
  /** Hands work in and sees that it is done. Rejects with `KernelClosed`, or with what ended the writer. */
  readonly accept: <T>(work: () => Promise<T>) => Promise<T>
  /** Sees that what is there to do is done. */
  readonly wake: () => void
  /** Resolves when nothing is left to do. */
  readonly idle: () => Promise<void>
  /** True while there is something to do. */
  readonly isBusy: () => boolean
  /** Accepts nothing more and finishes what was accepted. */
  readonly close: () => Promise<void>
}

export interface WriterDeps {
  readonly rebuilding: Rebuilding
  /** Done when nothing else is. */
  readonly snapshots: Work
  /** Done when that has nothing to do either. */
  readonly pruning: Work
  readonly asked: Work
  /** Is told what ended the writer. */
  readonly onFailed: (error: Error) => void
}

export function createWriter(core: Core, { rebuilding, snapshots, pruning, asked, onFailed }: WriterDeps): Writer {
  const { options, pool, time, witnesser } = core
  const { storeId, scheduler, logger } = options
  const submits = createSubmitQueue(core)
  const bulks = createBulkQueue(core, () => ended)
  const ingests = createIngestQueue(core, () => loop.wake())
  const jobs = createJobQueue()
  let isOpening = true
  let ended: Error | undefined
  const restating = createRestating(core, rebuilding, () => loop.wake())
  const catchUp = createCatchUp(core, restating.isBare, () => tellProgress(core, isOpening))
  const upkeep = [createExcluding(core), createCheckpointing(core)]
  const { nowMs } = time
  const { earliestMs } = pool.inFuture
  const timer = createFutureTimer({ scheduler, clock: options.clock, nowMs, earliestMs, onDue })
  const arm = createArming(timer)
  const flushing = createFlushWork(core, () => loop.wake())
  const pump = createPump(core, ingests.isBusy, () => loop.wake())
  const waiting = [submits, bulks, ingests, jobs, pump]
  const works: readonly Work[] = [restating, catchUp, ...upkeep, ...waiting, flushing, arm, snapshots, asked, pruning]
  const loop = createWorkLoop({ scheduler, clock: options.clock, works, onFailure })

  function cancel(): void {
    timer.cancel()
    flushing.cancel()
    restating.cancel()
    pump.cancel()
  }

  function onFailure(cause: unknown): void {
    logger.error('store writer failed', { error: cause })
    ended = cause instanceof Error ? cause : new Error('the store writer failed', { cause })
    cancel()
    try {
      // Readers see what is committed, not what the step left half-way.
      core.revert()
    } catch (error) {
      logger.error('store cannot be read again after its writer failed', { error })
    }
    for (const work of works) work.fail?.(ended)
    onFailed(ended)
  }

  function onDue(): void {
    if (ended !== undefined) return
    // By the time that holds now: what came due earlier is considered again, and waits anew if it must.
    witnesser.consider(pool.inFuture.due(nowMs()))
    loop.wake()
  }

  return {
    submits,
    bulks,
    ingests,
    jobs,
    accept: async (work) => {
      if (ended !== undefined) throw ended
      const done = work()
      loop.wake()
      return done
    },
    wake: loop.wake,
    isBusy: loop.isRunning,
    idle: async () => {
      loop.wake()
      await loop.idle()
      isOpening = false
    },
    close: async () => {
      ended ??= new KernelClosed(storeId)
      await loop.idle()
      cancel()
    },
  }
}

/** What has just arrived is applied at once; only what is far behind is worth a word. */
function tellProgress({ options, projection, log }: Core, isOpening: boolean): void {
  const [done, total] = [projection().appliedSeq(), log.meta().headSeq]
  if (!isOpening && total - done < RECORDS_PER_STEP) return
  try {
    options.onRebuild?.(done, total)
  } catch (error) {
    options.logger.error('listener to the rebuild failed', { error })
  }
}

function createArming({ arm }: { readonly arm: () => void }): Work {
  return {
    step: () => {
      arm()
      return undefined
    },
  }
}

/** A job that looks again at all that waits for admission or time. */
export function createRecheck(core: Core, onEnd: () => void): () => boolean {
  const witnessAll = createWitnessAll(core)
  let isFirst = true
  return () => {
    if (isFirst) {
      isFirst = false
      // What epochs of the parent take away may be others now.
      core.log.book.forgetView()
      core.limitsChanged()
      core.recheckAdmission()
      core.witnesser.consider(core.pool.inFuture.due(core.time.nowMs()))
    }
    const isDone = witnessAll()
    if (isDone) onEnd()
    return isDone
  }
}

/**
 * A job that applies the record at which the projection stands, or brings to disk what it has no room for; throws when it
 * stalls again.
 */
export function createRetry(core: Core): JobStep {
  let isFirst = true
  return () => {
    const projection = core.projection()
    const { flush } = projection
    if (isFirst) {
      isFirst = false
      flush.request()
      if (projection.stalled() !== undefined) {
        projection.resume()
        core.events.notify({ kind: 'resumed', appliedSeq: projection.appliedSeq() })
      }
    }
    const waiting = flush.waiting()
    if (flush.isFull() && waiting !== undefined) return waiting
    const isFull = flush.isFull()
    core.project(1)
    const stalled = projection.stalled()
    if (stalled !== undefined) throw new ProjectionStalled(stalled.seq, stalled.id, stalled.error)
    return !isFull
  }
}
