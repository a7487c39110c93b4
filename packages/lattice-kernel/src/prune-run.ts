/**
 * One prune from its beginning to its end, in units short enough for a turn of the event loop.
 *
 * First what has to be known of what will be gone is gathered beside; then one transaction decides; then rows are deleted
 * and the file is given back to the disk. Before the decision nothing of the log has changed.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { type IdKey, idKey } from '@lattice/model'
import { besidesSnapshot, isMadeOfKept } from './begun-state.ts'
import type { Core } from './core.ts'
import { downsetOf } from './downset.ts'
import type { BookEpoch } from './epoch-book.ts'
import { FOUNDATION_PLACES_MAX } from './foundation-limits.ts'
import { giveBack } from './give-back.ts'
import type { ProjectionFactory } from './projection.ts'
import { findAsked } from './prune-asked.ts'
import { decidePrune, LAST_RECORDS } from './prune-decide.ts'
import { deleteGone, type DeletionProgress } from './prune-delete.ts'
import { gather, type Gathered } from './prune-gather.ts'
import { clearOtherPrunes } from './prune-rows.ts'
import { isStillDue } from './prune-target.ts'
import type { PruneWait } from './prune-types.ts'
import type { WholeSnapshot } from './snapshot-files.ts'
import { isWithinReach } from './snapshot-reach.ts'
import type { Snapshots } from './snapshots.ts'

/** A stretch of work; yields between units, and `turn` where the next one wants a turn of its own. */
export type Stretch = Generator<'turn' | void, void, undefined>

export interface PruneRun {
  /** What keeps the log from being pruned below this epoch; undefined for nothing. */
  readonly hindranceOf: (base: BookEpoch) => PruneWait | undefined
  /** True where too much of what would be gone has to be kept: only a later epoch will do. Known once it was tried. */
  readonly isWide: (base: BookEpoch) => boolean
  /** True where state on the disk has come as far: after a crash it goes on from there. */
  readonly isStateAt: (base: BookEpoch) => boolean
  readonly prune: (base: BookEpoch) => Stretch
  /** Goes on with a prune that was decided. */
  readonly finish: () => Stretch
  /** Gives back what an earlier process left free. */
  readonly tidy: () => Stretch
}

export interface PruneRunDeps {
  readonly core: Core
  readonly projectionOver: ProjectionFactory
  readonly snapshots: Pick<Snapshots, 'whole' | 'isDiverged' | 'isOutvotedAt' | 'pruned'>
}

/** See `KernelOptions.cutPlacesMax`. */
const CUT_PLACES_MAX: number = FOUNDATION_PLACES_MAX * 0.75

interface Before {
  readonly bytes: number
  readonly goneCount: number
}

export function createPruneRun(deps: PruneRunDeps, tell: (progress: DeletionProgress) => void): PruneRun {
  const { core, snapshots } = deps
  const { log } = core
  const { cutPlacesMax = CUT_PLACES_MAX } = core.options
  /** Bases at which too much would have to be kept to be handed on. */
  const wide = new Set<IdKey>()

  const isWide = (base: BookEpoch): boolean => wide.has(idKey(base.record.id))

  function isStateAt(base: BookEpoch): boolean {
    return core.projection().state.cursor().seq >= base.meta.seq && !core.isStale()
  }

  function hindranceOf(base: BookEpoch): PruneWait | undefined {
    if (snapshots.isDiverged()) return 'agreement'
    if (isWide(base)) return 'beside'
    const beside = core.besideOf(base)
    if (beside !== 'shared') return beside === 'open' ? 'settlement' : 'beside'
    if (usableFor(deps, base) === undefined) return 'snapshot'
    return isStateAt(base) ? undefined : 'state'
  }

  function* prune(base: BookEpoch): Stretch {
    yield* clearOtherPrunes(log.database, log.base.number())
    const version = log.excluded.version()
    const gathered = yield* gather(core, base)
    yield* askBeside(deps, gathered)
    if (gathered.rows.anchors() > cutPlacesMax) {
      // Who began there would refuse it as too large. A later epoch has below it what this one has beside it.
      wide.add(idKey(base.record.id))
      yield* clearOtherPrunes(log.database, log.base.number())
      return
    }
    yield 'turn'
    // In a large log the indexes of a few records are many pages: the decision would write them all at once.
    log.checkpointIfDue(1)
    yield 'turn'
    while (gathered.upto() + LAST_RECORDS < log.meta().headSeq) {
      gathered.follow(LAST_RECORDS)
      yield
    }
    // What counts may have changed meanwhile: then it begins again.
    if (log.excluded.version() !== version || !isStillDue(core, base) || hindranceOf(base) !== undefined) return
    const before = { bytes: sizeOf(log.path), goneCount: log.base.row()?.gone_count ?? 0 }
    decidePrune(core, gathered)
    core.pruned()
    snapshots.pruned()
    yield 'turn'
    yield* finish(core, before, tell)
  }

  return {
    hindranceOf,
    isWide,
    isStateAt,
    prune,
    finish: () => finish(core, { bytes: sizeOf(log.path), goneCount: 0 }, tell),
    tidy: () => tidy(core),
  }
}

/**
 * State that is on the disk, as it is to be now, at the base: others can begin with it, and once the log is cut it cannot be
 * made any more. Where this node began later it is at a later epoch that is settled.
 */
function usableFor({ core, snapshots }: PruneRunDeps, base: BookEpoch): WholeSnapshot | undefined {
  const { log, settlement } = core
  const isOutOfReach = !isWithinReach(log, { all: snapshots.whole }, base)
  return snapshots.whole().find((snapshot) => {
    const epoch = log.book.epochOf(snapshot.epoch)
    if (epoch === undefined || snapshots.isOutvotedAt(snapshot.epoch) || !isMadeOfKept(log, epoch)) return false
    const isLater = log.book.isBefore(base.meta, epoch.meta) && settlement.isSettled(epoch)
    const isThere = epoch === base || (isOutOfReach && isLater)
    return isThere && besidesSnapshot(core, snapshot) !== undefined
  })
}

function* askBeside(deps: PruneRunDeps, gathered: Gathered): Stretch {
  const { core, projectionOver } = deps
  const snapshot = usableFor(deps, gathered.base)
  const epoch = snapshot && core.log.book.epochOf(snapshot.epoch)
  if (snapshot === undefined || epoch === undefined) return
  const asked = { core, projectionOver, snapshot, below: downsetOf(core.log, epoch) }
  yield* findAsked(asked, gathered.beside(), gathered.noteAsked)
}

function* finish(core: Core, before: Before, tell: (progress: DeletionProgress) => void): Stretch {
  const { log, events } = core
  for (const done of deleteGone(core)) {
    tell(done)
    yield
  }
  yield* shrink(core)
  yield* fold(core)
  const [row, epoch] = [log.base.row(), log.base.epoch()]
  if (row === undefined || epoch === undefined) return
  const intentions = row.gone_count - before.goneCount
  events.notify({ kind: 'pruned', epoch, intentions, bytesBefore: before.bytes, bytesAfter: sizeOf(log.path) })
}

function* tidy(core: Core): Stretch {
  if (yield* shrink(core)) yield* fold(core)
}

/** Answers true where there was something to give back. */
function* shrink({ log: { database } }: Core): Generator<void, boolean> {
  let isShrunk = false
  while (giveBack(database)) {
    isShrunk = true
    yield
  }
  return isShrunk
}

/** What was deleted was written to the write-ahead log first: of a small store that is most of what it takes. */
function* fold({ log: { database } }: Core): Stretch {
  yield 'turn'
  database.checkpoint(false)
  yield 'turn'
  database.truncateLog()
}

function sizeOf(path: string): number {
  return statSync(path).size
}
