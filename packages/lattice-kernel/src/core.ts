/**
 * What the writer's works share: log, floating pool, projection and their listeners, and the one way from appended
 * records to published ones.
 *
 * The order is always the same: log commit, visible state, then notices; state goes to disk when there is time. A log
 * commit that fails takes memory back to the disk; a machine that fails stalls the projection and nothing else.
 *
 * @module
 */
import {
  assert,
  equalBytes,
  err,
  type IdKey,
  type IntentionId,
  ok,
  type PublicKey,
  type Result,
  type UniversalOp,
} from '@lattice/model'
import type { Authority, Projector } from '@lattice/store-base'
import { createMembership, type Membership } from './admissions.ts'
import type { AppliedCuts } from './applied-cuts.ts'
import { type BesideOf, createBesideOf } from './beside-epoch.ts'
import type { FloatingEntry } from './floating-entry.ts'
import type { FloatingPool } from './floating-pool.ts'
import { createIsClosed, type IsClosed } from './closed-below.ts'
import type { DagQueries } from './dag-queries.ts'
import type { EpochCover } from './epoch-cover.ts'
import type { KernelEvent, ProjectedNotice, WitnessedNotice } from './kernel-types.ts'
import type { KernelOptions } from './kernel-options.ts'
import type { KernelTime } from './kernel-time.ts'
import type { Listeners } from './listeners.ts'
import type { LogCommit } from './log-disk.ts'
import type { LogStore } from './log-store.ts'
import { forkProofOf } from './fork-proofs.ts'
import { createObserver, type Observer } from './observer.ts'
import { createOwnTips, type OwnTips } from './own-tips.ts'
import { createProjecting, type Projecting } from './projecting.ts'
import type { Projection } from './projection.ts'
import { createSettlement, type Settlement } from './settlement.ts'
import type { RunStanding } from './run-standing.ts'
import { createUnansweredSpans } from './unanswered-spans.ts'
import { createUpheld, type IsUpheld } from './upheld.ts'
import type { Witnesser } from './witnesser.ts'

export interface CoreParts {
  readonly options: KernelOptions
  readonly log: LogStore
  readonly pool: FloatingPool
  readonly time: KernelTime
  readonly dag: DagQueries
  readonly standing: RunStanding
  readonly cover: EpochCover
  /** By what state in use is made. */
  readonly cuts: AppliedCuts
  readonly projector: Projector
  readonly authority: Authority
  readonly witnessed: Listeners<WitnessedNotice>
  readonly projected: Listeners<ProjectedNotice>
  readonly events: Listeners<KernelEvent>
}

export interface Core extends CoreParts {
  readonly observer: Observer
  readonly settlement: Settlement
  readonly isUpheld: IsUpheld
  /** Whether all below an epoch is vouched for by what is below it as well. */
  readonly isClosed: IsClosed
  /** Whether who begins at an epoch comes to all that this node has beside it. */
  readonly besideOf: BesideOf
  readonly witnesser: Witnesser
  readonly projection: () => Projection
  readonly setProjection: (projection: Projection) => void
  /** Admission by the projected system table, remembered until it changes. */
  readonly admits: (author: PublicKey) => boolean
  readonly ownTips: OwnTips
  /** What the authority requires of this node's app data, remembered until the system table changes. */
  readonly requiredOfApp: (op: UniversalOp) => readonly IntentionId[]
  /** Looks again at what waits for admission: the system table, or what it inherits from, changed. */
  readonly recheckAdmission: () => void
  /** Commits what was appended and what floats. An error means that nothing of it is there. */
  readonly commitLog: (source: PublicKey | undefined) => Result<LogCommit, unknown>
  /** Applies up to `limit` records that are committed and not applied, for a few milliseconds; answers how many. */
  readonly project: (limit: number) => number
  /** True while state was made with other cuts than hold now: it is built anew, and nothing is applied to it. */
  readonly isStale: () => boolean
  /** State lacks what was pruned: only a snapshot has it. */
  readonly isUnmade: () => boolean
  /** Follows limits that changed without a record of this log. */
  readonly limitsChanged: () => void
  /** True while records wait to be applied, or state for room in memory; whoever applies them comes first. */
  readonly isBehind: () => boolean
  /** Shows applied records, which are durable, to readers and listeners. */
  readonly publishProjection: () => void
  /** The projection stands still: state cannot be made as it has to be, or not before a parent store has come further. */
  readonly stall: Projecting['stall']
  /** A projection that stood still for want of room goes on where there is some. */
  readonly resumeIfRoom: () => void
  readonly reportEvicted: (evicted: readonly FloatingEntry[]) => void
  readonly evictedCount: () => number
  /** Takes memory back to what is on disk: a step ended half-way. */
  readonly revert: () => void
  /** The log begins elsewhere: forgets what was derived from what is gone. */
  readonly pruned: () => void
}

export type WitnesserFactory = (membership: Pick<Membership, 'admits' | 'admitsByUse'>) => Witnesser

/** What is needed beside the parts. */
export interface CoreMakers {
  /** Over the log as it was opened. */
  readonly projection: Projection
  readonly createWitnesser: WitnesserFactory
}

/** Wires the parts. The projection is one opened from the same log. */
export function createCore(parts: CoreParts, { projection: opened, createWitnesser }: CoreMakers): Core {
  const { log, pool, events } = parts
  let projection = opened
  const about = { ...parts, self: parts.options.signer.publicKey }
  const membership = createMembership({ ...about, tables: () => projection.working })
  const ownTips = createOwnTips(about)
  const settlement = createSettlement(log)
  const witnesser = createWitnesser(membership)
  const limitsFollowed = createFollowing(parts, witnesser)

  function recheckAdmission(): void {
    membership.forget()
    witnesser.consider(admittedOf(pool, membership.admits))
  }
  function commitLog(source: PublicKey | undefined): Result<LogCommit, unknown> {
    try {
      const commit = log.commit({ hlc: parts.time.last(), also: pool.flush })
      projecting.committed(commit.entries)
      publishCommit(parts, commit, source)
      limitsFollowed()
      return ok(commit)
    } catch (error) {
      forget()
      witnesser.restart(pool.load())
      return err(error)
    }
  }

  /** Forgets what was derived from records that are gone. */
  function forget(): void {
    projection.discard()
    membership.forget()
    ownTips.forget()
    settlement.forget()
    parts.time.restore(log.meta().hlc)
  }

  const projecting = createProjecting({
    ...parts,
    ...clockOf(parts),
    projection: () => projection,
    onSystemChange: recheckAdmission,
  })

  return {
    ...parts,
    witnesser,
    observer: observerOf(log),
    settlement,
    isUpheld: createUpheld({ log, crypto: parts.options.crypto, membership: parts.options.membership }),
    isClosed: createIsClosed(log),
    besideOf: createBesideOf(log),
    projection: () => projection,
    setProjection: (next) => {
      projection = next
      recheckAdmission()
    },
    admits: membership.admits,
    ownTips,
    requiredOfApp: membership.requiredOfApp,
    recheckAdmission,
    commitLog,
    ...projecting,
    publishProjection: projecting.publish,
    isStale: () => !projection.adopt(),
    isBehind: () => isBehind(log, projection),
    limitsChanged: () => settleLimits(log, limitsFollowed),
    ...createEvictions(events),
    ...createReverts(parts, { forget, ownTips, settlement, witnesser, limitsFollowed }),
  }
}

interface Forgetting {
  readonly forget: () => void
  readonly ownTips: OwnTips
  readonly settlement: Settlement
  readonly witnesser: Witnesser
  readonly limitsFollowed: () => void
}

function createReverts(
  { log, pool }: CoreParts,
  { forget, ownTips, settlement, witnesser, limitsFollowed }: Forgetting,
): Pick<Core, 'pruned' | 'revert'> {
  return {
    pruned: () => {
      ownTips.forget()
      settlement.forget()
      witnesser.reconsiderCauses()
      limitsFollowed()
    },
    revert: () => {
      log.revert()
      pool.unstage()
      pool.load()
      forget()
    },
  }
}

function publishCommit(parts: CoreParts, { entries, forks }: LogCommit, source: PublicKey | undefined): void {
  for (const { author, first, second } of forks) {
    const proof = forkProofOf(parts.log, first, second)
    assert(proof !== undefined, 'a fork that was found is one')
    parts.events.notify({ kind: 'fork_detected', author: author.key, proof })
  }
  if (entries.length > 0) parts.witnessed.notify({ intentions: entries.map(({ parsed }) => parsed), source })
}

function clockOf({ options: { clock, logger } }: CoreParts): Pick<KernelOptions, 'clock' | 'logger'> {
  return { clock, logger }
}

function admittedOf(pool: FloatingPool, admits: Core['admits']): readonly FloatingEntry[] {
  return [...pool.notAdmitted()].filter(({ parsed }) => admits(parsed.intention.author))
}

function settleLimits({ excluded }: LogStore, followed: () => void): void {
  excluded.settle()
  followed()
}

function observerOf(log: LogStore): Observer {
  const quiet = createUnansweredSpans(log.quiet, log.excluded)
  const { counted: lanes, reach, entryAt, tipAt, base } = log
  return createObserver({ lanes, quiet, reach, entryAt, tipAt, lastGone: base.lastOf })
}

/** What is made with other cuts than hold now is as far behind as what is not applied. */
function isBehind(log: LogStore, { stalled, adopt, appliedSeq, flush }: Projection): boolean {
  return stalled() === undefined && (!adopt() || appliedSeq() < log.meta().headSeq || flush.isFull())
}

/** What waits may be beyond a cutoff now, or be so no more; what counted may not. */
function createFollowing(parts: CoreParts, witnesser: Witnesser): () => void {
  const { standing } = parts
  let judged = standing.view()
  let wasAny = standing.isAnyLimited()
  return () => {
    publishExcluded(parts)
    const view = standing.view()
    if (view === judged) return
    const isAny = standing.isAnyLimited()
    if (wasAny || isAny) witnesser.reconsider()
    ;[judged, wasAny] = [view, isAny]
  }
}

function publishExcluded({ log, events, options }: CoreParts): void {
  for (const excluded of log.excluded.takeNews()) {
    const own = equalBytes(excluded.author, options.signer.publicKey)
    events.notify({ kind: 'excluded', ...excluded, own })
  }
}

/** What the floating pool had no room for. */
function createEvictions(events: CoreParts['events']): Pick<Core, 'reportEvicted' | 'evictedCount'> {
  let evictedCount = 0
  return {
    reportEvicted: (evicted) => {
      evictedCount += evicted.length
      publishEvicted(events, evicted)
    },
    evictedCount: () => evictedCount,
  }
}

function publishEvicted(events: CoreParts['events'], evicted: readonly FloatingEntry[]): void {
  const byAuthor = new Map<IdKey, { readonly author: PublicKey; count: number }>()
  for (const { authorKey, parsed } of evicted) {
    const { count } = byAuthor.get(authorKey) ?? { count: 0 }
    byAuthor.set(authorKey, { author: parsed.intention.author, count: count + 1 })
  }
  for (const { author, count } of byAuthor.values()) events.notify({ kind: 'floating_evicted', author, count })
}
