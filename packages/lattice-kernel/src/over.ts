/**
 * The sets over which this node works with those that pruned their logs to an epoch.
 *
 * Two nodes compare what they hold over the same base. One that has not pruned yet, or to an earlier epoch, has all that a
 * peer with a later base has, so it works over the peer's.
 *
 * @module
 */
import { equalBytes, type IdKey, idKey, type IntentionId } from '@lattice/model'
import type { AskedBeside } from './asked-beside.ts'
import type { BesideOf } from './beside-epoch.ts'
import type { IsClosed } from './closed-below.ts'
import type { BookEpoch } from './epoch-book.ts'
import { statusesOf } from './epoch-status.ts'
import { createFoundations } from './foundation.ts'
import type { Kernel } from './kernel-types.ts'
import { createEarlyPart, type OverLog } from './over-early.ts'
import { createOverIndex } from './over-index.ts'
import type { LogStore } from './log-store.ts'
import type { ReplicatedSet } from './replicated-set.ts'
import type { Settlement } from './settlement.ts'
import type { IsUpheld } from './upheld.ts'

/** Bases whose sets are kept: peers have few different ones, and each goes its way to the newest. */
const SETS_MAX = 4

export interface OverDeps {
  readonly log: LogStore
  /** The set of this node, over its own base where it has one. */
  readonly own: ReplicatedSet
  readonly settlement: Settlement
  readonly isUpheld: IsUpheld
  readonly isClosed: IsClosed
  readonly besideOf: BesideOf
  readonly asked: AskedBeside
}

export function createOver(deps: OverDeps): Pick<Kernel, 'over' | 'foundation'> {
  const { log, own, isUpheld, isClosed, besideOf, asked } = deps
  /** The set asked for last comes last. */
  const kept = new Map<IdKey, ReplicatedSet>()
  const foundations = createFoundations(log, asked)

  /** What is void may still be where others have cut; who has all of it works over that, and need not follow. */
  const mayBegin = (epoch: BookEpoch): boolean =>
    log.book.view().faultOf(epoch.record.id) === undefined || statusesOf(deps, [epoch])[0]?.mayBegin === true

  /** Where this node's own log begins. */
  function isOwn(wanted: IntentionId): boolean {
    const base = log.base.epoch()
    return base !== undefined && equalBytes(base, wanted)
  }

  /**
   * The epoch that is wanted, where all that is not below it is here. Where this node has more beside it than who begins there
   * can take in, the sets would never be the same.
   */
  function epochOver(wanted: IntentionId): BookEpoch | undefined {
    const epoch = standing(wanted)
    return epoch === undefined || isOwn(wanted) || besideOf(epoch) !== 'unshared' ? epoch : undefined
  }

  /** Who has cut nothing gives a place to all that it has beside. */
  function founded(wanted: IntentionId): BookEpoch | undefined {
    return log.base.epoch() === undefined ? standing(wanted) : epochOver(wanted)
  }

  /** The epoch, whatever this node has beside it. */
  function standing(wanted: IntentionId): BookEpoch | undefined {
    const epoch = log.book.epochOf(wanted)
    const base = log.base.epoch()
    if (epoch === undefined || isOwn(wanted)) return epoch
    if (log.excluded.isExcluded(epoch.meta) || !mayBegin(epoch)) return undefined
    const place = base === undefined ? undefined : log.find(base)
    // Of what is beside this node's own base some may be gone.
    if (base !== undefined && (place === undefined || !log.book.isBefore(place, epoch.meta))) return undefined
    // Where what lies below counts otherwise than it did there, state goes on from another than theirs.
    return isClosed(epoch) && isUpheld(epoch) ? epoch : undefined
  }

  return {
    over: (wanted, isFounded = false) => {
      const epoch = isFounded ? founded(wanted) : epochOver(wanted)
      if (epoch === undefined) return undefined
      if (isOwn(wanted)) return own
      const key = idKey(wanted)
      const set = kept.get(key) ?? createSet(log, own, epoch)
      kept.delete(key)
      kept.set(key, set)
      for (const [oldest] of kept) if (kept.size > SETS_MAX) kept.delete(oldest)
      return set
    },
    foundation: (at = log.base.epoch()) => {
      const epoch = at && standing(at)
      return epoch && foundations.at(epoch)
    },
  }
}

function createSet(log: OverLog, own: ReplicatedSet, epoch: BookEpoch): ReplicatedSet {
  const early = createEarlyPart(log, epoch)
  const rangeIndex: ReplicatedSet['rangeIndex'] = () =>
    createOverIndex({ early: early.current(), all: log.range, wall: epoch.meta.timestamp.wall })
  return {
    rangeIndex,
    digest: () => {
      const index = rangeIndex()
      const { count, sum } = index.accumulate(0, index.size())
      // What the chains end in does not follow from where a node's log begins.
      return { ...own.digest(), witnessCount: count, fingerprint: sum }
    },
  }
}
