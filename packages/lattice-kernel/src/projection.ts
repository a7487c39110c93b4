/**
 * Applies the log to state, record by record, many per transaction.
 *
 * Operations change an overlay; `flush` makes it durable together with the cursor, and only then are events published.
 * So a record counts exactly once, whatever is interrupted. What a machine rejects is undone and recorded. What throws is
 * this node's own trouble: the projection stands still there, visibly, and the log goes on without it.
 *
 * @module
 */
import { assert } from '@lattice/model'
import {
  createOverlayTable,
  type OverlayTable,
  type Rejection,
  type StateCursor,
  type StateDatabase,
} from '@lattice/storage'
import type { OpOutcome, ProjectedOp, Projector, ReadStoreTables, StoreTables } from '@lattice/store-base'
import { toEnvelope } from './envelope.ts'
import type { ProjectedNotice, StalledProjection } from './kernel-types.ts'
import type { LogEntry } from './log-entry.ts'
import { isSilent } from './silent-ops.ts'

type ProjectedEntry = ProjectedNotice['ops'][number]

export interface ProjectionDeps {
  readonly state: StateDatabase
  readonly projector: Projector
  readonly follows: (entry: LogEntry, ancestor: ProjectedOp['id']) => boolean
  /** What an operation cites, folded citations included. */
  readonly depsOf: (entry: LogEntry) => ProjectedOp['deps']
  readonly wallMs: () => number
}

export interface Projection {
  readonly state: StateDatabase
  /** With everything applied and not flushed in it: what the writer reads. */
  readonly working: ReadStoreTables
  /** The last applied record, flushed or not. */
  readonly appliedSeq: () => number
  /**
   * Applies the next record. A kernel op is applied without events. When it throws, or is rejected and `refuse` was
   * asked for, there is no trace of it.
   */
  readonly apply: (entry: LogEntry, onRejected: 'record' | 'refuse') => OpOutcome<unknown>
  /** Takes back a kernel op that was applied last: it changed no table. */
  readonly retract: () => void
  /** True when an applied record may have changed who is admitted. */
  readonly touchedSystem: () => boolean
  /** Makes what was applied durable; answers what to publish. */
  readonly flush: () => ProjectedNotice | undefined
  /** Forgets what was applied and not flushed. */
  readonly discard: () => void
  readonly stalled: () => StalledProjection | undefined
  readonly stall: (entry: LogEntry, error: unknown) => StalledProjection
  readonly resume: () => void
}

export function createProjection(deps: ProjectionDeps): Projection {
  const { state, wallMs } = deps
  const system = createOverlayTable(state.system)
  const app = createOverlayTable(state.app)
  const working: StoreTables = { system, app }
  let cursor: StateCursor = state.cursor()
  let cursorBefore = cursor
  let ops: ProjectedEntry[] = []
  let rejections: Rejection[] = []
  let stalled: StalledProjection | undefined

  function apply(entry: LogEntry, onRejected: 'record' | 'refuse'): OpOutcome<unknown> {
    const { parsed, meta, chainHash } = entry
    system.mark()
    app.mark()
    let outcome: OpOutcome<unknown>
    try {
      outcome = applyOp(deps, working, entry)
    } catch (error) {
      undo(system, app)
      throw error
    }
    if (outcome.kind === 'rejected') {
      undo(system, app)
      if (onRejected === 'refuse') return outcome
      rejections.push({ seq: meta.seq, id: parsed.id, reason: outcome.reason })
    }
    ops.push(noticeOf(entry, outcome))
    cursorBefore = cursor
    cursor = { seq: meta.seq, chainHash }
    return outcome
  }

  function discard(): void {
    system.clear()
    app.clear()
    ops = []
    rejections = []
    cursor = state.cursor()
  }

  return {
    state,
    working,
    appliedSeq: () => cursor.seq,
    apply,
    retract: () => {
      const last = ops.pop()
      assert(last !== undefined && isSilent(last.kind), 'only a kernel op is taken back')
      cursor = cursorBefore
    },
    touchedSystem: () => system.size() > 0,
    flush: () => {
      if (ops.length === 0) return undefined
      const notice: ProjectedNotice = { seq: cursor.seq, ops }
      try {
        state.commit({ cursor, system, app, rejections })
      } catch (error) {
        discard()
        throw error
      }
      discard()
      return notice
    },
    discard,
    stalled: () => stalled,
    stall: ({ meta, parsed }, error) => {
      stalled = { seq: meta.seq, id: parsed.id, error, since: wallMs() }
      return stalled
    },
    resume: () => void (stalled = undefined),
  }
}

const NOTHING: OpOutcome<unknown> = { kind: 'applied', events: [] }

function applyOp(
  { projector, follows, depsOf }: ProjectionDeps,
  tables: StoreTables,
  entry: LogEntry,
): OpOutcome<unknown> {
  const { id, intention, op } = entry.parsed
  if (isSilent(op.kind)) return NOTHING
  const projected: ProjectedOp = {
    id,
    author: intention.author,
    timestamp: intention.timestamp,
    deps: depsOf(entry),
    op: toEnvelope(op),
    follows: (ancestor) => follows(entry, ancestor),
  }
  return op.kind === 'genesis' ? projector.applyGenesis(tables, projected) : projector.apply(tables, projected)
}

function noticeOf({ parsed }: LogEntry, outcome: OpOutcome<unknown>): ProjectedEntry {
  const { id, intention, op } = parsed
  const about = { id, author: intention.author, timestamp: intention.timestamp, kind: op.kind }
  if (outcome.kind === 'applied') return { ...about, events: outcome.events }
  return { ...about, events: [], rejected: outcome.reason }
}

function undo(system: OverlayTable, app: OverlayTable): void {
  system.rollback()
  app.rollback()
}
