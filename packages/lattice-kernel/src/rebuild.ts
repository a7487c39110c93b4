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
import { openStateDatabase, removeDatabase, replaceDatabase } from '@lattice/storage'
import type { Core } from './core.ts'
import type { Difference } from './downset.ts'
import { ProjectionStalled } from './errors.ts'
import { type JobStep, RECORDS_PER_STEP } from './jobs.ts'
import type { RebuildProgress } from './kernel-options.ts'
import { REBUILD_FILE, STATE_FILE } from './log-schema.ts'
import type { Projection } from './projection.ts'
import { createRebuildStart, type RebuildStartDeps } from './rebuild-start.ts'

/** Records that are applied and brought to disk in the turn of the swap: writers may add as many while others are. */
const RECORDS_LAST = 512
/** Few enough for one turn, and there are few of them in all: what was written while an epoch was. */
const BESIDES_PER_STEP = 16
/** How long records are applied in one turn. */
const APPLYING_MAX_MS = 5

export interface Rebuilding {
  /** Answers true once the new state is in use; begins with a snapshot where it can. Throws what ends the building. */
  readonly step: JobStep
  /** True where state need not be made of the whole log. */
  readonly hasBeginning: () => boolean
  /** True while state is built: what it is built of has to stay. */
  readonly isBusy: () => boolean
  /** A step of a job that sees state built anew of the log alone, or whichever way it is being built already. */
  readonly job: (onProgress: RebuildProgress | undefined) => JobStep
}

export function createRebuilding(deps: RebuildStartDeps): Rebuilding {
  const { core, createProjectionOver } = deps
  const { directory, storeId, projector, storageHooks, fileWork } = core.options
  const building = join(directory, REBUILD_FILE)
  const options = {
    storeId,
    projectorVersion: projector.version,
    ...(fileWork && { fileWork }),
    ...(storageHooks && { hooks: storageHooks }),
  }
  const start = createRebuildStart(deps, { ...options, path: building })
  const headSeq = (): number => core.log.meta().headSeq
  let next: Projection | undefined
  /** What of the log comes before what follows the cursor. */
  let besides: Difference | undefined
  let finished = 0

  function abandon(): void {
    next?.flush.stop()
    next?.state.close()
    next = undefined
    besides = undefined
    removeDatabase(building)
  }

  function swap(built: Projection): void {
    const path = join(directory, STATE_FILE)
    close(built)
    close(core.projection())
    next = undefined
    besides = undefined
    try {
      replaceDatabase(path, building)
    } finally {
      // Whichever of the two is there now.
      core.setProjection(createProjectionOver(openStateDatabase({ ...options, path })))
    }
    finished += 1
    core.events.notify({ kind: 'rebuilt', appliedSeq: built.appliedSeq() })
  }

  function step(isFromLog: boolean): boolean | Promise<void> {
    if (next?.lookOn() === true) return false
    if (next?.adopt() === false) abandon()
    if (next === undefined) {
      const begun = start.begin(isFromLog)
      if (begun instanceof Promise) return begun
      ;({ projection: next, besides } = begun)
    }
    let answer: boolean | Promise<void>
    try {
      answer = build(core, next, besides)
    } catch (error) {
      abandon()
      throw error
    }
    if (answer === true) swap(next)
    return answer
  }

  return {
    step: () => step(false),
    hasBeginning: start.hasBeginning,
    isBusy: () => next !== undefined || start.isBusy(),
    job: (onProgress) => {
      const before = finished
      // Whoever asks for it may doubt all that was made.
      return jobOf(
        { step: () => step(true), isDone: () => finished > before, appliedSeq: () => next?.appliedSeq(), headSeq },
        onProgress,
      )
    },
  }
}

function build(core: Core, built: Projection, besides: Difference | undefined): boolean | Promise<void> {
  const { flush, state } = built
  const { headSeq } = core.log.meta()
  const waiting = flush.waiting()
  const isLast = headSeq - state.cursor().seq <= RECORDS_LAST && waiting === undefined
  if (isLast) {
    while (built.appliedSeq() < headSeq) applyNext(core, built, besides)
    flushAll(built)
    return true
  }
  if (built.appliedSeq() < headSeq && !flush.isFull()) {
    applyNext(core, built, besides)
    // What is in memory is brought to disk beside.
    flushSome(built)
    return false
  }
  if (waiting !== undefined) return waiting
  flush.request()
  flushSome(built)
  return false
}

interface JobSource {
  readonly step: JobStep
  readonly isDone: () => boolean
  readonly appliedSeq: () => number | undefined
  readonly headSeq: () => number
}

function jobOf({ step, isDone, appliedSeq, headSeq }: JobSource, onProgress: RebuildProgress | undefined): JobStep {
  return () => {
    if (isDone()) return true
    const answer = step()
    onProgress?.(isDone() ? headSeq() : (appliedSeq() ?? 0), headSeq())
    return answer
  }
}

function close({ flush, state }: Projection): void {
  flush.stop()
  state.close()
}

/** Applies records for a few milliseconds. */
function applyNext({ log, options }: Core, built: Projection, besides: Difference | undefined): void {
  const untilMs = options.clock.monotonicMs() + APPLYING_MAX_MS
  const isBeside = besides !== undefined && besides.size() > 0
  // What is taken from the difference is applied, however long that takes.
  const entries = isBeside ? besides.next(BESIDES_PER_STEP) : log.reader.from(built.appliedSeq() + 1, RECORDS_PER_STEP)
  for (const entry of entries) {
    try {
      built.apply(entry, 'record')
    } catch (error) {
      throw new ProjectionStalled(entry.meta.seq, entry.parsed.id, error)
    }
    if (!isBeside && options.clock.monotonicMs() > untilMs) break
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
