/**
 * Makes the snapshots that are wanted, one at a time, as a work of the writer in short turns.
 *
 * @module
 */
import { equalBytes } from '@lattice/model'
import { dueBase, followBase, keepBase } from './base-snapshot.ts'
import type { Core } from './core.ts'
import type { DivergenceWatch } from './divergence-watch.ts'
import type { BookEpoch } from './epoch-book.ts'
import { SnapshotUnavailable } from './errors.ts'
import { COST_PER_STEP } from './jobs.ts'
import type { KeptSnapshots } from './kept-snapshots.ts'
import { makeSnapshot, planSnapshot, type SnapshotMakerDeps, type SnapshotMaking } from './snapshot-maker.ts'
import { createRetryPause } from './retry-pause.ts'
import { isWithinReach } from './snapshot-reach.ts'
import type { RootWaits } from './snapshot-waits.ts'
import type { WantedSnapshots } from './wanted-snapshots.ts'
import type { Work } from './work-loop.ts'

export interface SnapshotWorks extends Work {
  readonly making: () => SnapshotMaking | undefined
  /** Why the last attempt failed; undefined once one did not. */
  readonly failure: () => unknown
  /** Tries again what failed, without waiting for its time. */
  readonly retry: () => void
  /** Begins again with what is being made. */
  readonly restart: () => void
  readonly stop: () => void
  /** Resolves when nothing is under way. After `stop`. */
  readonly ended: () => Promise<void>
}

export interface SnapshotWorksDeps extends SnapshotMakerDeps {
  readonly core: Core
  readonly kept: KeptSnapshots
  readonly wanted: WantedSnapshots
  readonly waits: RootWaits
  readonly divergence: DivergenceWatch
  readonly wake: () => void
}

/** Records between two notices of progress. */
const RECORDS_PER_NOTICE = 4096

export function createSnapshotWorks(deps: SnapshotWorksDeps): SnapshotWorks {
  const { wanted, waits, divergence } = deps
  const { options } = deps.core
  const tellProgress = createProgress(deps)
  let making: SnapshotMaking | undefined
  let blocked: Promise<void> | undefined
  let failure: { readonly error: unknown } | undefined
  let isOver = false

  const wake = (): void => (isOver ? undefined : deps.wake())
  const pause = createRetryPause(options.scheduler, wake)

  /** Looks at what changed. */
  function look(): void {
    const target = targetOf(deps)
    if (isOther(making, target)) making = making?.stop()
    if (target !== undefined) making ??= begin(deps, target)
    tellWaiting(deps)
    if (target !== undefined && making === undefined) waits.failed(undecided())
    divergence.look()
  }

  function advance(current: SnapshotMaking): void {
    const answer = current.step()
    if (answer instanceof Promise) {
      blocked = answer.finally(() => {
        blocked = undefined
        wake()
      })
      return
    }
    failure = undefined
    tellProgress(current)
    if (!answer) return
    making = undefined
    keep(deps, current.epoch)
    wanted.isNews()
  }

  function beginAgain(): void {
    making = making?.stop()
    wanted.isNews()
  }

  /** Made again from the disk, later: what failed may be the disk, or the machine. */
  function fail(error: unknown): void {
    options.logger.warn('a snapshot could not be made: tried again later', { error })
    failure = { error }
    beginAgain()
    waits.failed(error)
    pause.begin()
  }

  return {
    making: () => making,
    failure: () => failure?.error,
    retry: pause.end,
    restart: beginAgain,
    step: () => {
      if (isOver || blocked !== undefined || pause.isOn()) return undefined
      try {
        const isNews = wanted.takeNews()
        if (isNews) look()
        if (making !== undefined) advance(making)
        else if (!isNews) return undefined
      } catch (error) {
        fail(error)
      }
      return COST_PER_STEP
    },
    stop: () => {
      isOver = true
      pause.end()
      making?.stop()
    },
    ended: async () => blocked,
  }
}

/** True for one that is of another epoch than is wanted. */
function isOther(making: SnapshotMaking | undefined, target: BookEpoch | undefined): boolean {
  return making !== undefined && (target === undefined || !equalBytes(target.record.id, making.epoch.record.id))
}

function undecided(): SnapshotUnavailable {
  return new SnapshotUnavailable('an epoch of a parent store that decides what counts is not here: sync it')
}

/** What there is to make, after what was made is in its place. */
function targetOf(deps: SnapshotWorksDeps): BookEpoch | undefined {
  const { core, kept, wanted } = deps
  kept.open()
  followBase(deps)
  settle(deps)
  // Where there is nothing to go on from at all it is tried, and told what is wrong.
  const isNone = kept.all().length === 0
  const isToMake = (epoch: BookEpoch): boolean =>
    kept.at(epoch.record.id) === undefined && (isNone || isWithinReach(core.log, kept, epoch))
  const due = dueBase(core)
  return due !== undefined && isToMake(due) ? due : wanted.missing(isToMake)
}

/** Whoever waits for a root that this node cannot come to any more goes on without. */
function tellWaiting({ core, kept, wanted, waits }: SnapshotWorksDeps): void {
  for (const { epoch, root } of kept.all()) waits.known(epoch, root.hash)
  const [head, settled] = [wanted.head(), wanted.settled()]
  const isComing = head !== undefined && isWithinReach(core.log, kept, head)
  waits.keepOnly({ ...(isComing && { root: head.record.id }), ...(settled && { made: settled.record.id }) })
}

/** The later one takes the place of the settled one once its epoch is settled. */
function settle(deps: SnapshotWorksDeps): void {
  const { core, kept, wanted } = deps
  const [settled, next] = [wanted.settled(), kept.get('next')]
  if (settled === undefined || next === undefined || !equalBytes(next.epoch, settled.record.id)) return
  keepBase(deps)
  const { epoch, root } = kept.put('settled', 'next')
  core.events.notify({ kind: 'snapshot_settled', epoch, root: root.hash })
}

/** What was made is whole: a later one until its epoch is settled, unless it is an earlier one at which the log is cut. */
function keep(deps: SnapshotWorksDeps, made: BookEpoch): void {
  const { core, kept, wanted } = deps
  const isSettled = wanted.settled() === made
  if (isSettled) keepBase(deps)
  const { epoch, root } = kept.put(isSettled ? 'settled' : dueBase(core) === made ? 'cut' : 'next', 'making')
  core.events.notify({ kind: 'snapshot_made', epoch, root: root.hash })
  if (isSettled) core.events.notify({ kind: 'snapshot_settled', epoch, root: root.hash })
}

/** Undefined while it cannot be said what counts there. */
function begin(deps: SnapshotWorksDeps, epoch: BookEpoch): SnapshotMaking | undefined {
  const plan = planSnapshot(deps, epoch)
  const bases = deps.kept.all().filter((base) => !deps.divergence.isOutvotedAt(base.epoch))
  return plan && makeSnapshot(deps, plan, bases)
}

function createProgress({ core: { events } }: SnapshotWorksDeps): (making: SnapshotMaking) => void {
  let noticed: { readonly of: SnapshotMaking; readonly done: number } | undefined
  return (making) => {
    const { base, done, total } = making.progress()
    const before = noticed?.of === making ? noticed.done : 0
    if (done === before || (done < total && done - before < RECORDS_PER_NOTICE)) return
    noticed = { of: making, done }
    events.notify({ kind: 'snapshot_progress', epoch: making.epoch.record.id, from: base, done, total })
  }
}
