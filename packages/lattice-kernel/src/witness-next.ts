/**
 * One commit of what is ready to be witnessed, and its projection.
 *
 * @module
 */
import { ok, type PublicKey, type Result } from '@lattice/model'
import type { Core } from './core.ts'

/** Records per commit: one fsync for many, and short enough for the event loop. */
export const RECORDS_PER_COMMIT = 256

export interface WitnessedNext {
  /** True while more is ready. */
  readonly more: boolean
  readonly records: number
}

/** Commits and projects the next of what is ready, with what changed among the floating. */
export function witnessNext(core: Core, source: PublicKey | undefined): Result<WitnessedNext, unknown> {
  const { log, pool, witnesser } = core
  witnesser.witness(RECORDS_PER_COMMIT)
  const records = log.appended()
  if (records > 0 || pool.isChanged()) {
    const commit = core.commitLog(source)
    if (!commit.ok) return commit
    core.project(commit.value.entries, RECORDS_PER_COMMIT)
  }
  return ok({ more: witnesser.hasReady(), records })
}
