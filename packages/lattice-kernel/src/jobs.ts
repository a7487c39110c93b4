/**
 * What the writer does besides writing: catching up, looking again at what floats, rebuilding.
 *
 * @module
 */
import { isLatticeError } from '@lattice/model'
import type { Core } from './core.ts'
import { createRetryPause } from './retry-pause.ts'
import { witnessNext } from './witness-next.ts'
import type { Work } from './work-loop.ts'

export interface JobQueue extends Work {
  /**
   * Runs `step` again and again, between other works, until it answers true; rejects with what it throws. Where it
   * answers a promise, it waits for that first; it must not reject.
   */
  readonly run: (step: JobStep) => Promise<void>
}

export type JobStep = () => boolean | Promise<void>

interface Job {
  readonly step: JobStep
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Records applied per step of a catch-up. */
export const RECORDS_PER_STEP = 256
export const COST_PER_STEP = 5000

export function createJobQueue(): JobQueue {
  let jobs: Job[] = []
  let blocked: Promise<void> | undefined
  return {
    run: async (step) =>
      new Promise<void>((resolve, reject) => {
        jobs.push({ step, resolve, reject })
      }),
    step: () => {
      const job = jobs[0]
      if (job === undefined || blocked !== undefined) return undefined
      try {
        const answer = job.step()
        if (answer instanceof Promise) {
          blocked = answer.finally(() => void (blocked = undefined))
          return COST_PER_STEP
        }
        if (!answer) return COST_PER_STEP
        job.resolve()
      } catch (error) {
        job.reject(error)
      }
      jobs = jobs.slice(1)
      return COST_PER_STEP
    },
    waiting: () => blocked,
    fail: (error) => {
      for (const { reject } of jobs.splice(0)) reject(error)
    },
  }
}

/** Applies records that are committed and not applied: after a crash, a stall, or with a new state database. */
export function createCatchUp(core: Core, isBare: () => boolean, onProgress: () => void): Work {
  return {
    step: () => {
      if (
        isBare() ||
        core.isStale() ||
        !core.isBehind() ||
        (core.projection().flush.waiting() !== undefined && core.projection().flush.isFull())
      )
        return undefined
      core.project(RECORDS_PER_STEP)
      onProgress()
      return COST_PER_STEP
    },
  }
}

/** Brings the log's indexes to disk, between two commits and in a turn of its own. */
export function createCheckpointing({ log }: Core): Work {
  return { step: () => (log.checkpointIfDue() ? COST_PER_STEP : undefined) }
}

/** Records that the range index is made to follow in one step. */
const MOVED_PER_STEP = 64

/** Takes out of the range index what is excluded, where that is much. */
export function createExcluding({ log }: Core): Work {
  return {
    step: () => {
      if (!log.excluded.isMoving()) return undefined
      log.excluded.move(MOVED_PER_STEP)
      return COST_PER_STEP
    },
  }
}

/** A job step that witnesses all that is ready and sees it projected; throws when a commit fails. */
export function createWitnessAll(core: Core): () => boolean {
  return () => {
    if (core.isBehind()) return false
    const next = witnessNext(core, undefined)
    if (!next.ok) throw next.error
    return !next.value.more && !core.isBehind()
  }
}

export interface Pump extends Work {
  /** Tries nothing again any more. */
  readonly cancel: () => void
}

/**
 * Witnesses what became ready without an arrival and belongs to no batch: by admission or by time. Where that fails
 * all is ready again, and is tried again later: at once it would only fail once more, for as long as a disk has no room.
 */
export function createPump(core: Core, isOthers: () => boolean, wake: () => void): Pump {
  const { scheduler, logger } = core.options
  const step = createWitnessAll(core)
  const pause = createRetryPause(scheduler, wake)
  let isCancelled = false
  return {
    step: () => {
      if (isCancelled || pause.isOn() || isOthers() || core.isBehind() || !core.witnesser.hasReady()) return undefined
      try {
        step()
      } catch (error) {
        const message = 'what waited could not be committed: tried again later'
        if (isLatticeError(error)) logger.warn(message, { error })
        else logger.error(message, { error })
        pause.begin()
      }
      return COST_PER_STEP
    },
    cancel: () => {
      isCancelled = true
      pause.end()
    },
  }
}
