/**
 * What a log is to be pruned below, by its records: the same on every node that has them.
 *
 * A prune is an epoch, and names the epoch below which it deletes: an earlier one, or itself. It takes effect once it is
 * settled, and final, or in the past of an epoch that is: whoever acknowledges a join acknowledges all that it joins, so a
 * prune that was joined with another epoch takes effect with the join.
 *
 * A log has one base at a time, and a later one has the earlier in its past. So of two prunes below epochs that do not
 * know of each other one gives way, whichever of them is final first: the lower number, and of equal ones the higher id.
 * One that cuts a run in two has no effect: nobody could hand on what vouches for what it leaves.
 *
 * @module
 */
import { equalBytes } from '@lattice/model'
import { byRank } from './book-items.ts'
import type { Core } from './core.ts'
import type { BookEpoch } from './epoch-book.ts'
import { epochStatuses } from './epoch-status.ts'
import { belowOf } from './prune-cause.ts'

export interface PruneTarget {
  /** What is to be the base. */
  readonly base: BookEpoch
  /** The prune that says so. */
  readonly by: BookEpoch
}

export interface PruneTargets {
  /** In effect, and beyond the base there is. */
  readonly due: PruneTarget | undefined
  /** The newest that would be, and is not settled or not final. */
  readonly pending: { readonly target: PruneTarget; readonly isSettled: boolean } | undefined
}

type TargetSource = Pick<Core, 'log' | 'settlement' | 'isUpheld' | 'isClosed'>

export function pruneTargets(core: TargetSource): PruneTargets {
  const { log, settlement } = core
  const { book } = log
  const all = standingPrunes(core)
  if (all.length === 0) return { due: undefined, pending: undefined }
  const final = epochStatuses(core).flatMap(({ id, isFinal }) => (isFinal ? (book.epochOf(id) ?? []) : []))
  const isInEffect = ({ by }: PruneTarget): boolean =>
    settlement.isSettled(by) && final.some((epoch) => epoch === by || book.isBefore(by.meta, epoch.meta))
  const due = all.find(isInEffect)
  const pending = all.find((target) => !isInEffect(target))
  return { due, pending: pending && { target: pending, isSettled: settlement.isSettled(pending.by) } }
}

/** What the log may be pruned below beyond where it is, the furthest first. */
function standingPrunes({ log, isClosed }: TargetSource): readonly PruneTarget[] {
  const { book, base } = log
  const current = base.epoch()
  const view = book.view()
  const counts = ({ record }: BookEpoch): boolean => view.faultOf(record.id) === undefined
  const targets = book.valid().flatMap((by): readonly PruneTarget[] => {
    const below = belowOf(by)
    const target = below === undefined ? undefined : below === 'itself' ? by : book.epochOf(below)
    return target !== undefined && counts(by) && counts(target) && isClosed(target) ? [{ base: target, by }] : []
  })
  const isBefore = (a: BookEpoch, b: BookEpoch): boolean => book.isBefore(a.meta, b.meta)
  const givesWay = (a: BookEpoch, b: BookEpoch): boolean =>
    a !== b && !isBefore(a, b) && !isBefore(b, a) && byRank(b, a) < 0
  return targets
    .filter(({ base: target }) => !targets.some((other) => givesWay(target, other.base)))
    .filter(({ base: target }) => {
      const known = current && book.epochOf(current)
      return known === undefined || isBefore(known, target)
    })
    .sort((a, b) => byRank(a.base, b.base) || byRank(a.by, b.by))
}

/** True while the same epoch is to be the base. */
export function isStillDue(core: TargetSource, base: BookEpoch): boolean {
  const { due } = pruneTargets(core)
  return due !== undefined && equalBytes(due.base.record.id, base.record.id)
}
