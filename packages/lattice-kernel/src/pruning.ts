/**
 * Prunes the log by itself, once an epoch that says so is final: as the writer's last work, in turns of a few milliseconds.
 *
 * Before it is decided a crash, or a refusal of the disk, leaves the log as it was; after it the log is pruned, and the
 * deletion goes on where it was. What is due follows from the records: nothing is remembered but how far it has come.
 *
 * @module
 */
import { equalBytes, type IntentionId } from '@lattice/model'
import type { Core } from './core.ts'
import type { BookEpoch } from './epoch-book.ts'
import { COST_PER_STEP } from './jobs.ts'
import type { DeletionProgress } from './prune-delete.ts'
import { createPruneRun, type PruneRun, type PruneRunDeps, type Stretch } from './prune-run.ts'
import { pruneTargets } from './prune-target.ts'
import type { LogBase, PruneReads, PruneStatus, PruneWait } from './prune-types.ts'
import { createRetryPause } from './retry-pause.ts'
import type { Work } from './work-loop.ts'

export interface Pruning extends Work {
  readonly start: () => void
  readonly stop: () => void
  readonly reads: PruneReads
}

export interface PruningDeps extends PruneRunDeps {
  /** True while nothing may be changed: copies are made. */
  readonly isHeld: () => boolean
  readonly wake: () => void
}

/** How long it works in one turn, and how many units where time stands still. */
const TURN_MS = 3
const UNITS_PER_TURN = 256
/** Notices of progress, of one deletion. */
const NOTICES = 100

/** What is being done, or waited for. */
interface Stage {
  readonly target: BookEpoch
  readonly work?: Stretch
  readonly waitsFor?: PruneWait
  /** The records ask for nothing more: the wait is of this node. */
  readonly isDue?: boolean
}

export function createPruning(deps: PruningDeps): Pruning {
  const { core, wake } = deps
  const { options } = core
  const news = createNews(core)
  const progress = createProgress(core)
  const run = createPruneRun(deps, progress.tell)
  let isOn = false
  let isTidied = false
  let stage: Stage | undefined
  let failure: { readonly error: unknown } | undefined
  const pause = createRetryPause(options.scheduler, wake)

  function advance(work: Stretch): void {
    if (!workOn(work, options.clock.monotonicMs)) return
    progress.end()
    stage = undefined
    // Whatever it was, free pages are given back at its end.
    isTidied = true
    news.isNews()
  }

  function fail(error: unknown): void {
    options.logger.warn('the log could not be pruned: tried again later', { error })
    failure = { error }
    stage = undefined
    progress.end()
    news.isNews()
    pause.begin()
  }

  return {
    start: () => {
      isOn = true
    },
    stop: () => {
      isOn = false
      pause.end()
      news.close()
    },
    step: () => {
      if (!isOn || pause.isOn() || options.membership === undefined || deps.isHeld()) return undefined
      try {
        if (stage?.work !== undefined) advance(stage.work)
        else if (news.take() || isReady(core, run, stage)) {
          stage = nextStage(deps, run) ?? (isTidied ? undefined : tidying(core, run))
          // It is tried again, or there is nothing left of it to be done.
          failure = undefined
        } else return undefined
      } catch (error) {
        fail(error)
      }
      return COST_PER_STEP
    },
    reads: {
      base: () => baseOf(core),
      pruning: () => statusOf(stage, failure, progress.now()),
    },
  }
}

/** Works for a turn; answers true once there is nothing left to do. */
function workOn(work: Stretch, nowMs: () => number): boolean {
  const untilMs = nowMs() + TURN_MS
  for (let units = 0; units < UNITS_PER_TURN; units += 1) {
    const { done, value } = work.next()
    if (done === true) return true
    if (value === 'turn' || nowMs() > untilMs) return false
  }
  return false
}

/** Nothing was missing but that the disk had state, or that others had seen something. */
function isReady({ besideOf }: Core, run: PruneRun, stage: Stage | undefined): boolean {
  const isBeside = stage?.waitsFor === 'beside' || stage?.waitsFor === 'settlement'
  if (stage?.isDue === true && isBeside) return besideOf(stage.target) === 'shared' && !run.isWide(stage.target)
  return stage?.waitsFor === 'state' && run.isStateAt(stage.target)
}

/** What there is to do now, or to wait for; undefined for nothing. */
function nextStage({ core, snapshots }: PruningDeps, run: PruneRun): Stage | undefined {
  const { log, projection } = core
  const [row, epoch] = [log.base.row(), log.base.epoch()]
  const base = epoch && log.book.epochOf(epoch)
  if (base !== undefined && row?.deleted_to !== null) return { target: base, work: run.finish() }
  const { due, pending } = pruneTargets(core)
  if (due === undefined) {
    if (pending === undefined) return undefined
    const waitsFor = snapshots.isDiverged() ? 'agreement' : pending.isSettled ? 'finality' : 'settlement'
    return { target: pending.target.base, waitsFor }
  }
  const waitsFor = run.hindranceOf(due.base)
  if (waitsFor === undefined) return { target: due.base, work: run.prune(due.base) }
  const { stalled, flush } = projection()
  if (waitsFor === 'state' && stalled() === undefined) flush.request()
  return { target: due.base, waitsFor, isDue: true }
}

/** In a pruned log, once. */
function tidying({ log }: Core, run: PruneRun): Stage | undefined {
  const epoch = log.base.epoch()
  const target = epoch && log.book.epochOf(epoch)
  return target && { target, work: run.tidy() }
}

interface Progress {
  readonly tell: (done: DeletionProgress) => void
  readonly now: () => DeletionProgress | undefined
  readonly end: () => void
}

function createProgress({ events }: Core): Progress {
  let progress: DeletionProgress | undefined
  const part = ({ done, total }: DeletionProgress): number => Math.floor((NOTICES * done) / total)
  return {
    tell: (next) => {
      const isNews = progress === undefined || part(next) !== part(progress)
      progress = next
      if (isNews) events.notify({ kind: 'prune_progress', ...next })
    },
    now: () => progress,
    end: () => void (progress = undefined),
  }
}

/** What may change whether there is something to prune, or what is in the way. */
function createNews({ log, witnessed, events }: Core) {
  let isNews = true
  let version = -1
  const cancels = [
    witnessed.add(({ intentions }) => {
      if (intentions.some(({ op }) => op.kind !== 'appData' && op.kind !== 'ack')) isNews = true
    }),
    events.add(({ kind }) => {
      if (kind !== 'prune_progress' && kind !== 'floating_evicted' && kind !== 'snapshot_progress') isNews = true
    }),
  ]
  return {
    take: (): boolean => {
      const was = isNews || version !== log.book.version()
      isNews = false
      version = log.book.version()
      return was
    },
    isNews: (): void => void (isNews = true),
    close: (): void => cancels.forEach((cancel) => cancel()),
  }
}

function baseOf({ log }: Core): LogBase | undefined {
  const [row, epoch] = [log.base.row(), log.base.epoch()]
  if (row === undefined || epoch === undefined) return undefined
  const found = log.book.epochs().find(({ record }) => equalBytes(record.id, epoch))
  return { epoch, seq: found?.record.op.value.seq ?? 0n, fromSeq: row.from_seq, goneCount: row.gone_count }
}

function statusOf(
  stage: Stage | undefined,
  failure: { readonly error: unknown } | undefined,
  progress: DeletionProgress | undefined,
): PruneStatus {
  const epoch: IntentionId | undefined = stage?.target.record.id
  const about = { ...(epoch && { epoch }), ...progress }
  if (stage?.work !== undefined) return { state: 'pruning', ...about }
  if (failure !== undefined) return { state: 'failed', ...about, failure: failure.error }
  if (epoch === undefined || stage?.waitsFor === undefined) return { state: 'idle' }
  return { state: 'waiting', epoch, waitsFor: stage.waitsFor }
}
