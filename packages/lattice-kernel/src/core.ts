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
import type { KernelEvent, KernelOptions, ProjectedNotice, WitnessedNotice } from './kernel-types.ts'
import type { KernelTime } from './kernel-time.ts'
import type { Listeners } from './listeners.ts'
import type { LogEntry } from './log-entry.ts'
import type { LogCommit } from './log-disk.ts'
import type { LogStore } from './log-store.ts'
import { createProjecting } from './projecting.ts'
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
  /** Applies up to `limit` records that are committed and not applied, for a few milliseconds; answers how many. */
  readonly project: (limit: number) => number
  /** True while records wait to be applied; whoever applies them comes first. */
  readonly isBehind: () => boolean
  /** Makes applied records durable and publishes them. */
  readonly flushProjection: (first: LogEntry | undefined) => void
  readonly reportEvicted: (evicted: readonly FloatingEntry[]) => void
  readonly evictedCount: () => number
  /** Takes memory back to what is on disk: a step ended half-way. */
  readonly revert: () => void
}

export type WitnesserFactory = (admits: (author: PublicKey) => boolean) => Witnesser

/** Wires the parts. The projection is one opened from the same log. */
export function createCore(parts: CoreParts, opened: Projection, createWitnesserFor: WitnesserFactory): Core {
  const { log, pool, authority, events } = parts
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
      const commit = log.commit({ hlc: parts.time.last(), also: pool.flush })
      projecting.committed(commit.entries)
      publishCommit(parts, commit, source)
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
    admissions.forget()
    parts.dag.forget()
    parts.time.restore(log.meta().hlc)
  }

  const projecting = createProjecting({
    ...parts,
    clock: parts.options.clock,
    logger: parts.options.logger,
    projection: () => projection,
    onSystemChange: recheckAdmission,
    onDiscard: admissions.forget,
  })

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
    project: projecting.project,
    flushProjection: projecting.flush,
    isBehind: () => projection.stalled() === undefined && projection.appliedSeq() < log.meta().headSeq,
    reportEvicted: (evicted) => {
      evictedCount += evicted.length
      publishEvicted(events, evicted)
    },
    evictedCount: () => evictedCount,
    revert: () => {
      log.revert()
      pool.load()
      forget()
    },
  }
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
