/**
 * One commit of what is ready to be witnessed. It is projected in the turns after it.
 *
 * @module
 */
import { ok, type PublicKey, type Result } from '@lattice/model'
import type { Core } from './core.ts'

/** Records per commit: one fsync for many, and short enough for the event loop. */
export const RECORDS_PER_COMMIT = 512

/** How long runs are appended before they are committed. */
const WITNESSING_MAX_MS = 4

export interface WitnessedNext {
  /** True while more is ready. */
  readonly more: boolean
  readonly records: number
}

/** Commits the next of what is ready, with what changed among the floating. */
export function witnessNext(core: Core, source: PublicKey | undefined): Result<WitnessedNext, unknown> {
  const { log, pool, witnesser } = core
  const untilMs = core.options.clock.monotonicMs() + WITNESSING_MAX_MS
  witnesser.witness(RECORDS_PER_COMMIT, () => core.options.clock.monotonicMs() > untilMs)
  const records = log.appended()
  const more = witnesser.hasReady()
  // What is ready needs no row for the while until it is witnessed.
  if (!more) core.reportEvicted(pool.settle())
  if (records > 0 || pool.isChanged()) {
    const commit = core.commitLog(source)
    if (!commit.ok) return commit
  }
  return ok({ more, records })
}
