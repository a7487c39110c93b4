/**
 * Brings the projection up to the log, in turns short enough for the event loop.
 *
 * A turn ends by the clock, so a machine that is slow, or a peer that makes it slow, costs time and not the loop. The
 * records of the last commit are at hand; older ones are read again. What fails stalls the projection and nothing else;
 * so does a disk that takes no more state, once as much of it is in memory as may be.
 *
 * @module
 */
import type { Clock, Logger } from '@lattice/model'
import { isDiskFailure } from '@lattice/storage'
import type { KernelEvent, ProjectedNotice, StalledProjection } from './kernel-types.ts'
import type { Listeners } from './listeners.ts'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'
import type { Projection } from './projection.ts'

export interface Projecting {
  /** These were just committed, and will be applied next. */
  readonly committed: (entries: readonly LogEntry[]) => void
  /** Applies records that are committed and not applied, up to `limit` and for a few milliseconds; answers how many. */
  readonly project: (limit: number) => number
  /** Shows applied records, which are durable, to readers and listeners. */
  readonly publish: () => void
  /** State lacks what was pruned: only a snapshot has it. */
  readonly isUnmade: () => boolean
  /** The projection stands still at the next record. */
  readonly stall: (error: unknown, waitsFor?: StalledProjection['waitsFor']) => void
  /** A projection that stood still for want of room goes on where there is some. */
  readonly resumeIfRoom: () => void
}

export interface ProjectingDeps {
  readonly log: LogStore
  readonly clock: Clock
  readonly logger: Logger
  readonly projected: Listeners<ProjectedNotice>
  readonly events: Listeners<KernelEvent>
  readonly projection: () => Projection
  /** The system table changed: whoever waits for admission may be admitted. */
  readonly onSystemChange: () => void
}

/** How long records are applied before the rest waits for another turn. */
const PROJECTING_MAX_MS = 5
/** And how many bytes of them, so that state in memory passes its bound by no more than that. */
const PROJECTING_MAX_BYTES: number = 1024 * 1024

export function createProjecting(deps: ProjectingDeps): Projecting {
  const { log, clock, projected, events, projection, onSystemChange } = deps
  let recent: readonly LogEntry[] = []
  let isOutOfRoom = false

  const stall = (entry: LogEntry, error: unknown): void => tellStalled(deps, projection().stall(entry, error))

  function publish(): void {
    const touched = projection().touchedSystem()
    const notice = projection().publish()
    if (notice === undefined) return
    if (touched) onSystemChange()
    projected.notify(notice)
  }

  /** Lets what is in memory go to disk; where the disk refuses, the projection stands still. */
  function makeRoom(): void {
    const { flush, appliedSeq } = projection()
    const failure = flush.failure()
    if (failure === undefined) {
      flush.step()
      return
    }
    isOutOfRoom = true
    stall(entryAfter(log, appliedSeq()), failure.error)
  }

  const isUnmade = (): boolean => projection().appliedSeq() < log.base.fromSeq() - 1

  function project(limit: number): number {
    if (projection().stalled() !== undefined || isUnmade() || !projection().adopt()) return 0
    if (projection().flush.isFull()) {
      makeRoom()
      return 0
    }
    const entries = nextOf(log, { recent, from: projection().appliedSeq() + 1, limit })
    const untilMs = clock.monotonicMs() + PROJECTING_MAX_MS
    let [applied, bytes] = [0, 0]
    let failed: { readonly entry: LogEntry; readonly error: unknown } | undefined
    for (const entry of entries) {
      if (applied > 0 && (bytes >= PROJECTING_MAX_BYTES || clock.monotonicMs() > untilMs)) break
      try {
        projection().apply(entry, 'record')
        applied += 1
        bytes += entry.parsed.bytes.length
      } catch (error) {
        failed = { entry, error }
        break
      }
    }
    publish()
    if (failed !== undefined) stall(failed.entry, failed.error)
    if (projection().appliedSeq() >= log.meta().headSeq) recent = []
    return applied
  }

  return {
    committed: (entries) => {
      recent = entries
    },
    project,
    publish,
    isUnmade,
    stall: (error, waitsFor) => {
      tellStalled(deps, projection().stall(entryAfter(log, projection().appliedSeq()), error, waitsFor))
    },
    resumeIfRoom: () => {
      if (!isOutOfRoom || projection().flush.isFull()) return
      isOutOfRoom = false
      if (projection().stalled() === undefined) return
      projection().resume()
      events.notify({ kind: 'resumed', appliedSeq: projection().appliedSeq() })
    },
  }
}

/** What ends by itself is nothing that anybody has to look at. */
function tellStalled({ logger, events }: ProjectingDeps, stalled: StalledProjection): void {
  const { seq, error, waitsFor } = stalled
  if (waitsFor !== undefined) {
    logger.info('state waits for another store', { seq, waitsFor, error })
    return
  }
  // A disk is somebody's to look after; anything else is nobody's but the authors'.
  logger[isDiskFailure(error) ? 'warn' : 'error']('projection stalled', { seq, error })
  events.notify({ kind: 'stalled', ...stalled })
}

/** The record that is to be applied next, or would be if it were here. */
function entryAfter(log: LogStore, seq: number): LogEntry {
  return log.entryAt(Math.min(Math.max(seq + 1, log.base.fromSeq()), log.meta().headSeq))
}

/** Records to apply: those of the last commit are at hand. */
function nextOf(
  log: LogStore,
  { recent, from, limit }: { readonly recent: readonly LogEntry[]; readonly from: number; readonly limit: number },
): readonly LogEntry[] {
  const offset = from - (recent[0]?.meta.seq ?? Infinity)
  const isRecent = offset >= 0 && offset < recent.length
  return isRecent ? recent.slice(offset, offset + limit) : log.reader.from(from, limit)
}
