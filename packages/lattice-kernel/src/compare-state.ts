/**
 * Compares state with what the log makes: builds it anew beside the one in use, and goes through both row by row.
 *
 * Writing goes on meanwhile. Each step first brings the new state to where the one in use stands, then compares some rows
 * within the same turn, so the two always speak of the same records; a row that is wrong stays wrong until it is compared.
 *
 * @module
 */
import { join } from 'node:path'
import { equalBytes, type ReadTable } from '@lattice/model'
import { removeDatabase } from '@lattice/storage'
import type { BegunState } from './begun-state.ts'
import type { Core } from './core.ts'
import { ProjectionStalled } from './errors.ts'
import type { LogEntry } from './log-entry.ts'
import { createRebuildStart, type RebuildStartDeps } from './rebuild-start.ts'
import type { Slicer } from './verify.ts'

export interface StateComparison {
  /** Sentences that say where the two differ, one per table at most. */
  readonly problems: readonly string[]
  readonly rows: number
}

/** Where state is made anew for comparison. */
const COMPARE_FILE = 'state.verify.db'
/** Records applied, and rows compared, per step. */
const RECORDS_PER_STEP = 64
const ROWS_PER_STEP = 256
const TABLES = ['system', 'app'] as const

/** Compares the state of `core` with one made anew. Rejects with what a machine throws, or as `slicer` does. */
export async function compareState(deps: RebuildStartDeps, slicer: Slicer): Promise<StateComparison> {
  for (;;) {
    const comparison = await compareOnce(deps, slicer)
    if (comparison !== undefined) return comparison
  }
}

/** Undefined where the cuts changed meanwhile in what was compared already. */
async function compareOnce(deps: RebuildStartDeps, slicer: Slicer): Promise<StateComparison | undefined> {
  const { core } = deps
  const { directory, storeId, projector } = core.options
  const path = join(directory, COMPARE_FILE)
  removeDatabase(path)
  const start = createRebuildStart(deps, { path, storeId, projectorVersion: projector.version })
  let begun = start.begin(true)
  try {
    while (begun instanceof Promise) {
      await begun
      begun = start.begin(true)
    }
    return await compareAll(core, begun, slicer)
  } finally {
    if (!(begun instanceof Promise)) {
      begun.projection.flush.stop()
      begun.projection.state.close()
    }
    removeDatabase(path)
  }
}

async function compareAll(core: Core, begun: BegunState, slicer: Slicer): Promise<StateComparison | undefined> {
  const made = begun.projection
  const problems: string[] = []
  let rows = 0
  for (const name of TABLES) {
    for (let after: Uint8Array | undefined = new Uint8Array(0); after !== undefined;) {
      await slicer.breathe()
      if (!made.adopt()) return undefined
      if (core.isStale()) {
        await untilRestated(core)
        continue
      }
      const isLevel = catchUp(core, begun)
      if (isLevel !== true) {
        slicer.report({ part: 'state', done: made.appliedSeq(), total: core.projection().publishedSeq() })
        await isLevel
        continue
      }
      const step: RowStep = compareRows(core.projection().visible[name], made.visible[name], after)
      rows += step.rows
      if (step.differs !== undefined) problems.push(`table ${name}: ${step.differs}`)
      after = step.differs === undefined ? step.next : undefined
    }
  }
  return { problems, rows }
}

/** A turn in which state may be made anew that was made with other cuts. */
async function untilRestated({ projection, options }: Core): Promise<void> {
  const stalled = projection().stalled()
  if (stalled !== undefined) throw new ProjectionStalled(stalled.seq, stalled.id, stalled.error)
  await new Promise<void>((resolve) => void options.scheduler.soon(resolve))
}

/**
 * Applies what the state in use has beyond the one made anew: true once the two stand at the same record, a promise where
 * the disk is behind.
 */
function catchUp(core: Core, { projection: made, besides }: BegunState): boolean | Promise<void> {
  const target = core.projection().publishedSeq()
  const missing = target - made.appliedSeq()
  if (missing === 0) return true
  const waiting = made.flush.waiting()
  if (made.flush.isFull() && waiting !== undefined) return waiting
  if (made.flush.isFull()) made.flush.request()
  else {
    const limit = Math.min(RECORDS_PER_STEP, missing)
    const isBeside = besides !== undefined && besides.size() > 0
    const entries: readonly LogEntry[] = isBeside
      ? besides.next(limit)
      : core.log.reader.from(made.appliedSeq() + 1, limit)
    for (const entry of entries) made.apply(entry, 'record')
    made.publish()
  }
  made.flush.step()
  const failure = made.flush.failure()
  if (failure !== undefined) throw failure.error
  return made.appliedSeq() === target
}

interface RowStep {
  readonly rows: number
  readonly differs: string | undefined
  /** Where to go on; undefined at the end of both. */
  readonly next: Uint8Array | undefined
}

function compareRows(used: ReadTable, made: ReadTable, from: Uint8Array): RowStep {
  const expected = made.scan({ gte: from, limit: ROWS_PER_STEP })
  const found = used.scan({ gte: from, limit: ROWS_PER_STEP })
  let last: Uint8Array | undefined
  for (let rows = 0; ; rows += 1) {
    const [right, actual] = [expected.next(), found.next()]
    if (right.done === true && actual.done === true) {
      return { rows, differs: undefined, next: rows < ROWS_PER_STEP || last === undefined ? undefined : after(last) }
    }
    if (right.done === true) return { rows, differs: 'it has a row that the log does not make', next: undefined }
    if (actual.done === true) return { rows, differs: 'it lacks a row that the log makes', next: undefined }
    const isSame = equalBytes(right.value.key, actual.value.key) && equalBytes(right.value.value, actual.value.value)
    if (!isSame) return { rows, differs: 'it has a row that is not what the log makes of it', next: undefined }
    last = right.value.key.slice()
  }
}

/** The key right after another. */
function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}
