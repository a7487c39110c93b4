/**
 * Builds state anew beside the one in use, then puts it in its place.
 *
 * Readers go on with the old state meanwhile, and so does the writer, unless the old one was made with other cuts than
 * hold now; the new one goes to disk in slices, as the old one does. A crash leaves a file that the next rebuild deletes; a
 * projection that fails on the way leaves the old state as it was. When the cuts change on the way in what was applied
 * already, it begins again.
 *
 * There is one at a time: whoever wants state built anew takes a step further what is being built.
 *
 * @module
 */
import { join } from 'node:path'
import { openStateDatabase, removeDatabase, replaceDatabase, type StateDatabase } from '@lattice/storage'
import type { Core } from './core.ts'
import { ProjectionStalled } from './errors.ts'
import { COST_PER_STEP, type JobStep, RECORDS_PER_STEP } from './jobs.ts'
import type { RebuildProgress } from './kernel-types.ts'
import { REBUILD_FILE, STATE_FILE } from './log-schema.ts'
import type { Projection, ProjectionDeps } from './projection.ts'
import type { Work } from './work-loop.ts'

/** Over another state, by other cuts where these are given. */
export type ProjectionFactory = (
  state: StateDatabase,
  other?: Partial<Pick<ProjectionDeps, 'cuts' | 'cursorAfter'>>,
) => Projection

/** Records that are applied and brought to disk in the turn of the swap: writers may add as many while others are. */
const RECORDS_LAST = 512
/** How long records are applied in one turn. */
const APPLYING_MAX_MS = 5

export interface Rebuilding {
  /** Answers true once the new state is in use. Throws what ends the building. */
  readonly step: JobStep
  /** A step of a job that sees state built anew from where it began, whoever else has. */
  readonly job: (onProgress: RebuildProgress | undefined) => JobStep
}

export function createRebuilding(core: Core, createProjectionOver: ProjectionFactory): Rebuilding {
  const { directory, storeId, projector, storageHooks } = core.options
  const building = join(directory, REBUILD_FILE)
  const options = { storeId, projectorVersion: projector.version, ...(storageHooks && { hooks: storageHooks }) }
  const headSeq = (): number => core.log.meta().headSeq
  let next: Projection | undefined
  let finished = 0

  function abandon(): void {
    next?.flush.stop()
    next?.state.close()
    next = undefined
    removeDatabase(building)
  }

  function swap(built: Projection): void {
    const path = join(directory, STATE_FILE)
    close(built)
    close(core.projection())
    try {
      replaceDatabase(path, building)
    } finally {
      // Whichever of the two is there now.
      core.setProjection(createProjectionOver(openStateDatabase({ ...options, path })))
    }
    finished += 1
    next = undefined
    core.events.notify({ kind: 'rebuilt', appliedSeq: built.appliedSeq() })
  }

  function build(built: Projection): boolean | Promise<void> {
    const { flush, state } = built
    const waiting = flush.waiting()
    const isLast = headSeq() - state.cursor().seq <= RECORDS_LAST && waiting === undefined
    if (isLast) {
      while (built.appliedSeq() < headSeq()) applyNext(core, built)
      flushAll(built)
      return true
    }
    if (built.appliedSeq() < headSeq() && !flush.isFull()) {
      applyNext(core, built)
      // What is in memory is brought to disk beside.
      flushSome(built)
      return false
    }
    if (waiting !== undefined) return waiting
    flush.request()
    flushSome(built)
    return false
  }

  function step(): boolean | Promise<void> {
    if (next?.adopt() === false) abandon()
    if (next === undefined) {
      removeDatabase(building)
      next = createProjectionOver(openStateDatabase({ ...options, path: building }))
    }
    let answer: boolean | Promise<void>
    try {
      answer = build(next)
    } catch (error) {
      abandon()
      throw error
    }
    if (answer === true) swap(next)
    return answer
  }

  return {
    step,
    job: (onProgress) => {
      const before = finished
      return () => {
        if (finished > before) return true
        const answer = step()
        onProgress?.(finished > before ? headSeq() : (next?.appliedSeq() ?? 0), headSeq())
        return answer
      }
    },
  }
}

/** Builds state anew where it was made with cuts that do not hold any more. */
export function createRestating(core: Core, rebuilding: Rebuilding): Work {
  let blocked: Promise<void> | undefined
  return {
    step: () => {
      if (blocked !== undefined || core.projection().stalled() !== undefined || !core.isStale()) return undefined
      try {
        const answer = rebuilding.step()
        if (answer instanceof Promise) blocked = answer.finally(() => void (blocked = undefined))
      } catch (error) {
        // It stands still, visibly; a retry tries again.
        core.stall(error)
      }
      return COST_PER_STEP
    },
    waiting: () => blocked,
  }
}

function close({ flush, state }: Projection): void {
  flush.stop()
  state.close()
}

/** Applies records for a few milliseconds. */
function applyNext({ log, options }: Core, built: Projection): void {
  const untilMs = options.clock.monotonicMs() + APPLYING_MAX_MS
  for (const entry of log.reader.from(built.appliedSeq() + 1, RECORDS_PER_STEP)) {
    try {
      built.apply(entry, 'record')
    } catch (error) {
      throw new ProjectionStalled(entry.meta.seq, entry.parsed.id, error)
    }
    if (options.clock.monotonicMs() > untilMs) break
  }
  built.publish()
}

/** A slice of what is due; the disk's refusal ends the rebuild. */
function flushSome({ flush }: Projection): void {
  flush.step()
  const failure = flush.failure()
  if (failure !== undefined) throw failure.error
}

function flushAll(built: Projection): void {
  built.flush.leaveLog()
  built.flush.request()
  while (built.flush.isBehind()) flushSome(built)
}
