/**
 * What the writer's works share: log, floating pool, projection and their listeners, and the one way from appended
 * records to published ones.
 *
 * The order is always the same: log commit, state commit, then notices. A log commit that fails takes memory back to the
 * disk; a state commit or a machine that fails stalls the projection and nothing else.
 *
 * @module
 */
import { err, type IdKey, ok, type PublicKey, type Result } from '@lattice/model'
import type { Authority, Projector } from '@lattice/store-base'
import { createAdmissions } from './admissions.ts'
import type { FloatingEntry } from './floating-entry.ts'
import type { FloatingPool } from './floating-pool.ts'
import type { DagQueries } from './dag-queries.ts'
import type { KernelEvent, KernelOptions, ProjectedNotice, StalledProjection, WitnessedNotice } from './kernel-types.ts'
import type { KernelTime } from './kernel-time.ts'
import type { Listeners } from './listeners.ts'
import type { LogEntry } from './log-entry.ts'
import type { LogCommit, LogStore } from './log-store.ts'
import type { Projection } from './projection.ts'
import type { Witnesser } from './witnesser.ts'

export interface CoreParts {
  readonly options: KernelOptions
  readonly log: LogStore
  readonly pool: FloatingPool
  readonly time: KernelTime
  readonly dag: DagQueries
  readonly projector: Projector
  readonly authority: Authority
  readonly witnessed: Listeners<WitnessedNotice>
  readonly projected: Listeners<ProjectedNotice>
  readonly events: Listeners<KernelEvent>
}

export interface Core extends CoreParts {
  readonly witnesser: Witnesser
  readonly projection: () => Projection
  readonly setProjection: (projection: Projection) => void
  /** Admission by the projected system table, remembered until it changes. */
  readonly admits: (author: PublicKey) => boolean
  /** Looks again at what waits for admission: the system table, or what it inherits from, changed. */
  readonly recheckAdmission: () => void
  /** Commits what was appended and what floats. An error means that nothing of it is there. */
  readonly commitLog: (source: PublicKey | undefined) => Result<LogCommit, unknown>
  /** Applies up to `limit` records that are committed and not applied; answers how many. */
  readonly project: (recent: readonly LogEntry[], limit: number) => number
  /** Makes applied records durable and publishes them. */
  readonly flushProjection: (first: LogEntry | undefined) => void
  readonly reportEvicted: (evicted: readonly FloatingEntry[]) => void
  readonly evictedCount: () => number
}

export type WitnesserFactory = (admits: (author: PublicKey) => boolean) => Witnesser

/** Wires the parts. The projection is one opened from the same log. */
export function createCore(parts: CoreParts, opened: Projection, createWitnesserFor: WitnesserFactory): Core {
  const { log, pool, time, authority, events } = parts
  let projection = opened
  let evictedCount = 0
  const admissions = createAdmissions((author) => authority.admits(projection.working, author))
  const witnesser = createWitnesserFor(admissions.admits)

  function recheckAdmission(): void {
    admissions.forget()
    const waiting = [...pool.notAdmitted()]
    witnesser.consider(waiting.filter(({ parsed }) => admissions.admits(parsed.intention.author)))
  }

  function commitLog(source: PublicKey | undefined): Result<LogCommit, unknown> {
    try {
      const commit = log.commit({ hlc: time.last(), also: pool.flush })
      publishCommit(parts, commit, source)
      return ok(commit)
    } catch (error) {
      projection.discard()
      admissions.forget()
      parts.dag.forget()
      time.restore(log.meta().hlc)
      witnesser.restart(pool.load())
      return err(error)
    }
  }

  const stall = (entry: LogEntry, error: unknown): void => publishStall(parts, projection.stall(entry, error))

  function flushProjection(first: LogEntry | undefined): void {
    const touched = projection.touchedSystem()
    try {
      const notice = projection.flush()
      if (notice === undefined) return
      if (touched) recheckAdmission()
      parts.projected.notify(notice)
    } catch (error) {
      admissions.forget()
      if (first === undefined) throw error
      stall(first, error)
    }
  }

  function project(recent: readonly LogEntry[], limit: number): number {
    if (projection.stalled() !== undefined) return 0
    const from = projection.appliedSeq() + 1
    const isRecent = recent[0]?.meta.seq === from && recent.length <= limit
    const entries = isRecent ? recent : log.reader.from(from, limit)
    const failed = applyAll(projection, entries)
    flushProjection(entries[0])
    if (failed !== undefined && projection.stalled() === undefined) stall(failed.entry, failed.error)
    return entries.length
  }

  return {
    ...parts,
    witnesser,
    projection: () => projection,
    setProjection: (next) => {
      projection = next
      recheckAdmission()
    },
    admits: admissions.admits,
    recheckAdmission,
    commitLog,
    project,
    flushProjection,
    reportEvicted: (evicted) => {
      evictedCount += evicted.length
      publishEvicted(events, evicted)
    },
    evictedCount: () => evictedCount,
  }
}

/** Applies records up to the first that throws. */
function applyAll(
  projection: Projection,
  entries: readonly LogEntry[],
): { readonly entry: LogEntry; readonly error: unknown } | undefined {
  for (const entry of entries) {
    try {
      projection.apply(entry, 'record')
    } catch (error) {
      return { entry, error }
    }
  }
  return undefined
}

function publishStall({ options, events }: CoreParts, stalled: StalledProjection): void {
  options.logger.error('projection stalled', { seq: stalled.seq, error: stalled.error })
  events.notify({ kind: 'stalled', ...stalled })
}

function publishCommit(parts: CoreParts, { entries, forks }: LogCommit, source: PublicKey | undefined): void {
  for (const { author, first, second } of forks) {
    parts.events.notify({ kind: 'fork_detected', author: author.key, proof: [first.parsed, second.parsed] })
  }
  if (entries.length > 0) parts.witnessed.notify({ intentions: entries.map(({ parsed }) => parsed), source })
}

function publishEvicted(events: CoreParts['events'], evicted: readonly FloatingEntry[]): void {
  const byAuthor = new Map<IdKey, { readonly author: PublicKey; count: number }>()
  for (const { authorKey, parsed } of evicted) {
    const { count } = byAuthor.get(authorKey) ?? { count: 0 }
    byAuthor.set(authorKey, { author: parsed.intention.author, count: count + 1 })
  }
  for (const { author, count } of byAuthor.values()) events.notify({ kind: 'floating_evicted', author, count })
}
