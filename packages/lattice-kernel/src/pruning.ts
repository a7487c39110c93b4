/**
 * Prunes the log by itself, once an epoch that says so is final: as the writer's last work, in turns of a few milliseconds.
 *
 * First what has to be known of what will be gone is gathered beside; then one transaction decides; then rows are deleted
 * and the file is given back to the disk. Before the decision a crash, or a refusal of the disk, leaves the log as it was;
 * after it the log is pruned, and the deletion goes on where it was.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { type Cancel, equalBytes, type IntentionId } from '@lattice/model'
import { besidesSnapshot } from './begun-state.ts'
import type { Core } from './core.ts'
import { downsetOf } from './downset.ts'
import type { BookEpoch } from './epoch-book.ts'
import { COST_PER_STEP } from './jobs.ts'
import type { ProjectionFactory } from './projection.ts'
import { findAsked } from './prune-asked.ts'
import { decidePrune, LAST_RECORDS } from './prune-decide.ts'
import { deleteGone, type DeletionProgress } from './prune-delete.ts'
import { gather, type Gathered } from './prune-gather.ts'
import { clearOtherPrunes } from './prune-rows.ts'
import { isStillDue, pruneTargets } from './prune-target.ts'
import type { LogBase, PruneReads, PruneStatus, PruneWait } from './prune-types.ts'
import type { WholeSnapshot } from './snapshot-files.ts'
import type { Snapshots } from './snapshots.ts'
import type { Work } from './work-loop.ts'

export interface Pruning extends Work {
  readonly start: () => void
  readonly stop: () => void
  readonly reads: PruneReads
}

export interface PruningDeps {
  readonly core: Core
  readonly projectionOver: ProjectionFactory
  readonly snapshots: Pick<Snapshots, 'whole' | 'isDiverged' | 'isOutvotedAt' | 'pruned'>
  /** True while nothing may be decided: copies are made. */
  readonly isHeld: () => boolean
  readonly wake: () => void
}

/** How long it works in one turn. */
const TURN_MS = 3
/** Units of work in one turn where time stands still. */
const UNITS_PER_TURN = 256
/** How long after a failure it is tried again: about as long as a person takes to make room. */
const RETRY_MS = 5000
/** Pages given back to the disk in one unit. */
const PAGES_PER_UNIT = 64
/** Free pages that are left to be used again. */
const FREE_PAGES_LEFT = 64

/** A stretch of work; yields between units, and `turn` where the next one wants a turn of its own. */
type Stretch = Generator<'turn' | void, void, undefined>

export function createPruning(deps: PruningDeps): Pruning {
  const { core, snapshots, wake } = deps
  const { log, options, events } = core
  const news = createNews(core)
  let stage: 'new' | 'on' | 'over' = 'new'
  let work: Stretch | undefined
  let target: BookEpoch | undefined
  let wait: { readonly epoch: IntentionId; readonly for: PruneWait } | undefined
  /** What waits for nothing but the disk to have state. */
  let unflushed: BookEpoch | undefined
  let failure: { readonly error: unknown } | undefined
  let progress: DeletionProgress | undefined
  let retry: Cancel | undefined

  /** What there is to do now; nothing where it waits, or where there is nothing. */
  function look(): void {
    wait = undefined
    unflushed = undefined
    if (log.base.row()?.deleted_to !== null && log.base.row() !== undefined) {
      work = finish(undefined)
      return
    }
    const { due, pending } = pruneTargets(core)
    if (due === undefined) {
      if (pending !== undefined) {
        const reason = snapshots.isDiverged() ? 'agreement' : pending.isSettled ? 'finality' : 'settlement'
        wait = { epoch: pending.target.base.record.id, for: reason }
      }
      return
    }
    const hindrance = hindranceOf(due.base)
    if (hindrance !== undefined) {
      wait = { epoch: due.base.record.id, for: hindrance }
      if (hindrance === 'state') unflushed = due.base
      return
    }
    target = due.base
    work = prune(due.base)
  }

  function hindranceOf(base: BookEpoch): PruneWait | undefined {
    if (snapshots.isDiverged()) return 'agreement'
    if (usable(base) === undefined) return 'snapshot'
    if (isStateAt(base)) return undefined
    const { stalled, flush } = core.projection()
    if (stalled() === undefined) flush.request()
    return 'state'
  }

  /** After a crash state goes on from what is on the disk. */
  function isStateAt(base: BookEpoch): boolean {
    return core.projection().state.cursor().seq >= base.meta.seq && !core.isStale()
  }

  /** State that is on the disk, at the base or later, as it is to be now. */
  function usable(base: BookEpoch): WholeSnapshot | undefined {
    return snapshots.whole().find((snapshot) => {
      const epoch = log.book.epochOf(snapshot.epoch)
      if (epoch === undefined || snapshots.isOutvotedAt(snapshot.epoch)) return false
      const isThere = epoch === base || log.book.isBefore(base.meta, epoch.meta)
      return isThere && besidesSnapshot(core, snapshot) !== undefined
    })
  }

  function* prune(base: BookEpoch): Stretch {
    yield* clearOtherPrunes(log.database, log.base.number())
    const version = log.excluded.version()
    const gathered = yield* gather(core, base)
    yield* askBeside(gathered)
    yield 'turn'
    while (gathered.upto() + LAST_RECORDS < log.meta().headSeq) {
      gathered.follow(LAST_RECORDS)
      yield
    }
    // What counts may have changed meanwhile: then it begins again.
    if (log.excluded.version() !== version || !isStillDue(core, base) || hindranceOf(base) !== undefined) return
    const [bytesBefore, goneBefore] = [sizeOf(log.path), log.base.row()?.gone_count ?? 0]
    decidePrune(core, gathered)
    core.pruned()
    snapshots.pruned()
    yield 'turn'
    yield* finish({ bytesBefore, goneBefore })
  }

  function* askBeside(gathered: Gathered): Stretch {
    const snapshot = usable(gathered.base)
    const epoch = snapshot && log.book.epochOf(snapshot.epoch)
    if (snapshot === undefined || epoch === undefined) return
    const asked = { core, projectionOver: deps.projectionOver, snapshot, below: downsetOf(log, epoch) }
    yield* findAsked(asked, gathered.beside(), gathered.noteAsked)
  }

  function* finish(before: { readonly bytesBefore: number; readonly goneBefore: number } | undefined): Stretch {
    const { bytesBefore, goneBefore } = before ?? { bytesBefore: sizeOf(log.path), goneBefore: 0 }
    for (const done of deleteGone(core)) {
      tell(done)
      yield
    }
    while (log.database.shrink(PAGES_PER_UNIT) > FREE_PAGES_LEFT) yield
    yield
    log.database.checkpoint(false)
    yield
    log.database.truncateLog()
    const row = log.base.row()
    const epoch = log.base.epoch()
    progress = undefined
    target = undefined
    if (row === undefined || epoch === undefined) return
    const intentions = row.gone_count - goneBefore
    events.notify({ kind: 'pruned', epoch, intentions, bytesBefore, bytesAfter: sizeOf(log.path) })
  }

  function tell(done: DeletionProgress): void {
    const part = (of: DeletionProgress | undefined): number => Math.floor((100 * (of?.done ?? 0)) / (of?.total ?? 1))
    const isNews = progress === undefined || part(done) !== part(progress)
    progress = done
    if (isNews) events.notify({ kind: 'prune_progress', ...done })
  }

  function advance(current: Stretch): void {
    const untilMs = options.clock.monotonicMs() + TURN_MS
    for (let units = 0; units < UNITS_PER_TURN; units += 1) {
      const { done, value } = current.next()
      if (done === true) {
        work = undefined
        failure = undefined
        news.isNews()
        return
      }
      if (value === 'turn' || options.clock.monotonicMs() > untilMs) return
    }
  }

  function fail(error: unknown): void {
    options.logger.warn('the log could not be pruned: tried again later', { error })
    failure = { error }
    work = undefined
    progress = undefined
    news.isNews()
    retry = options.scheduler.after(RETRY_MS, () => {
      retry = undefined
      wake()
    })
  }

  return {
    start: () => {
      stage = 'on'
    },
    stop: () => {
      stage = 'over'
      retry?.()
      news.close()
    },
    step: () => {
      if (stage !== 'on' || retry !== undefined || options.membership === undefined) return undefined
      if (deps.isHeld()) return undefined
      try {
        if (work !== undefined) advance(work)
        else if (news.take() || (unflushed !== undefined && isStateAt(unflushed))) look()
        else return undefined
      } catch (error) {
        fail(error)
      }
      return COST_PER_STEP
    },
    reads: {
      base: () => baseOf(core),
      pruning: () => statusOf({ target, wait, failure, progress, isWorking: work !== undefined }),
    },
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
    isNews: (): void => {
      isNews = true
    },
    close: (): void => cancels.forEach((cancel) => cancel()),
  }
}

function baseOf({ log }: Core): LogBase | undefined {
  const [row, epoch] = [log.base.row(), log.base.epoch()]
  const found = epoch && log.book.epochs().find(({ record }) => equalBytes(record.id, epoch))
  if (row === undefined || epoch === undefined) return undefined
  return { epoch, seq: found?.record.op.value.seq ?? 0n, fromSeq: row.from_seq, goneCount: row.gone_count }
}

interface StatusParts {
  readonly target: BookEpoch | undefined
  readonly wait: { readonly epoch: IntentionId; readonly for: PruneWait } | undefined
  readonly failure: { readonly error: unknown } | undefined
  readonly progress: DeletionProgress | undefined
  readonly isWorking: boolean
}

function statusOf({ target, wait, failure, progress, isWorking }: StatusParts): PruneStatus {
  const epoch = target?.record.id ?? wait?.epoch
  const about = { ...(epoch && { epoch }), ...progress }
  if (isWorking) return { state: 'pruning', ...about }
  if (failure !== undefined) return { state: 'failed', ...about, failure: failure.error }
  return wait === undefined ? { state: 'idle' } : { state: 'waiting', epoch: wait.epoch, waitsFor: wait.for }
}

function sizeOf(path: string): number {
  return statSync(path).size
}
