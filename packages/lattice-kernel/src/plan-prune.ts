/**
 * Says what a prune would do and what keeps it from being done. Changes nothing, and reads little however long the log is.
 *
 * @module
 */
import {
  assert,
  causesOf,
  compareEpochs,
  equalBytes,
  type IdKey,
  idKey,
  type IntentionId,
  type PublicKey,
} from '@lattice/model'
import type { Core } from './core.ts'
import type { BookEpoch } from './epoch-book.ts'
import { type EpochStatus, epochStatuses } from './epoch-status.ts'
import type { Kernel } from './kernel-types.ts'
import { measureParts, partsOf, type PruneParts } from './prune-parts.ts'
import type { PruneHindrance, PrunePlan, PrunePlanOptions } from './prune-plan.ts'
import type { SnapshotStatus } from './snapshot-types.ts'

export interface PlanPruneDeps {
  readonly core: Pick<Core, 'log' | 'settlement' | 'isUpheld' | 'isClosed' | 'besideOf'>
  readonly snapshot: () => SnapshotStatus
  readonly base: () => IntentionId | undefined
}

export function createPlanPrune(deps: PlanPruneDeps): Pick<Kernel, 'planPrune'> {
  return {
    planPrune: (options) => {
      assertOptions(options)
      const { log } = deps.core
      const own = deps.base()
      const base = own && log.book.epochOf(own)
      const statuses = epochStatuses(deps.core)
      const isFree = options.keepCount === undefined && options.keepMs === undefined
      // Who keeps nothing wants an epoch of its own, below which everything is.
      const found = isFree ? undefined : findBase(deps, { statuses, base, options })
      if (found !== undefined) return planFor(deps, found)
      return planForNext(deps, { statuses, base, options })
    },
  }
}

function assertOptions({ keepCount = 0, keepMs = 0, nowMs }: PrunePlanOptions): void {
  assert(Number.isSafeInteger(keepCount) && keepCount >= 0, 'a number of intentions to keep is a whole number')
  assert(keepMs >= 0 && Number.isFinite(nowMs), 'what is kept of time is a time')
}

interface Found {
  readonly status: EpochStatus
  readonly parts: PruneParts
}

interface Choice {
  /** Newest first. */
  readonly statuses: readonly EpochStatus[]
  readonly base: BookEpoch | undefined
  readonly options: PrunePlanOptions
}

/** The first epoch by rank that leaves as much as has to stay. */
function findBase({ core: { log, isClosed } }: PlanPruneDeps, { statuses, base, options }: Choice): Found | undefined {
  const { keepCount = 0, keepMs = 0, nowMs } = options
  const ordered = statuses.toSorted((a, b) => compareEpochs({ epoch: a.id, seq: a.seq }, { epoch: b.id, seq: b.seq }))
  for (const status of ordered) {
    const epoch = log.book.epochOf(status.id)
    if (epoch === undefined || status.fault !== undefined || log.excluded.isExcluded(epoch.meta)) continue
    if (!isClosed(epoch)) continue
    if (base !== undefined && !log.book.isBefore(base.meta, epoch.meta)) continue
    if (keepMs > 0 && latestBelow(log, epoch) > nowMs - keepMs) continue
    const parts = partsOf(log, { at: epoch, base })
    if (countOf(parts.stays) >= keepCount) return { status, parts }
  }
  return undefined
}

/** The wall time of the latest intention below an epoch: it is one of its causes. */
function latestBelow(log: PlanPruneDeps['core']['log'], { meta }: BookEpoch): number {
  const causes = causesOf(log.entryAt(meta.seq).parsed.intention)
  return causes.reduce((latest, id) => Math.max(latest, log.find(id)?.timestamp.wall ?? 0), 0)
}

function planFor(deps: PlanPruneDeps, { status, parts }: Found): PrunePlan {
  const measured = measureParts(deps.core.log, parts)
  return {
    epoch: status.id,
    ...measured,
    waitsFor: status.waitingFor,
    hindrance: measured.goes.intentions === 0 ? 'nothing_to_prune' : hindranceOf(deps, status),
  }
}

function hindranceOf(deps: PlanPruneDeps, { id, isSettled, isFinal }: EpochStatus): PruneHindrance | undefined {
  const snapshot = deps.snapshot()
  if (snapshot.state === 'diverged') return 'diverged'
  if (!isSettled) return 'not_settled'
  if (!isFinal) return 'not_final'
  const epoch = deps.core.log.book.epochOf(id)
  const beside = epoch === undefined ? 'shared' : deps.core.besideOf(epoch)
  if (beside !== 'shared') return beside === 'open' ? 'not_settled' : 'beside'
  return hasStateAt(deps, snapshot, id) ? undefined : 'no_snapshot'
}

function hasStateAt({ core: { log } }: PlanPruneDeps, { settled }: SnapshotStatus, id: IntentionId): boolean {
  if (settled === undefined) return false
  const [at, wanted] = [log.book.epochOf(settled.epoch), log.book.epochOf(id)]
  if (at === undefined || wanted === undefined) return false
  return equalBytes(settled.epoch, id) || log.book.isBefore(wanted.meta, at.meta)
}

/** What an epoch made now would do. */
function planForNext(deps: PlanPruneDeps, { statuses, base, options }: Choice): PrunePlan {
  const { log } = deps.core
  const { keepCount = 0, keepMs = 0, nowMs } = options
  const snapshot = deps.snapshot()
  const waitsFor = distinct(statuses.filter(({ isHead }) => isHead).flatMap(({ waitingFor }) => waitingFor))
  // Of the heads one is the latest.
  const latest = log.counted.lanes().reduce((time, { head }) => Math.max(time, wallAt(log, head.id)), 0)
  const isEnough = keepCount === 0 && (keepMs === 0 || latest <= nowMs - keepMs)
  if (!isEnough) {
    const measured = measureParts(log, partsOf(log, { at: 'start', base }))
    return { epoch: undefined, ...measured, waitsFor, hindrance: 'history_recent' }
  }
  const measured = measureParts(log, partsOf(log, { at: 'end', base }))
  const none = measured.goes.intentions === 0
  const needed = snapshot.state === 'diverged' ? 'diverged' : snapshot.state === 'off' ? 'no_snapshot' : 'epoch_needed'
  return { epoch: undefined, ...measured, waitsFor, hindrance: none ? 'nothing_to_prune' : needed }
}

function wallAt(log: PlanPruneDeps['core']['log'], id: IntentionId): number {
  return log.find(id)?.timestamp.wall ?? 0
}

function countOf(parts: PruneParts['stays']): number {
  return parts.reduce((sum, { first, last }) => sum + last - first + 1, 0)
}

function distinct(keys: readonly PublicKey[]): readonly PublicKey[] {
  return [...new Map<IdKey, PublicKey>(keys.map((key) => [idKey(key), key])).values()]
}
