/**
 * Applies the log to state, record by record.
 *
 * Operations change an overlay in memory; `publish` shows them to readers once their records are durable in the log.
 * Disk follows later, see `state-flush.ts`: rows, rejections and cursor in one transaction, so after a crash the log is
 * applied again from the cursor on, and each record counts exactly once. What a machine rejects is undone and recorded.
 * What throws is this node's own trouble: the projection stands still there, visibly, and the log goes on without it.
 *
 * @module
 */
import { assert, type Clock, equalBytes, type Hlc, type Logger } from '@lattice/model'
import {
  createOverlayTable,
  type OverlayTable,
  type Rejection,
  type StateCursor,
  type StateDatabase,
  type TableSnapshot,
  type VisibleTable,
} from '@lattice/storage'
import type { OpOutcome, ProjectedOp, Projector, ReadStoreTables, StoreTables } from '@lattice/store-base'
import { toEnvelope } from './envelope.ts'
import type { AppliedCuts, ApplyMode, Comparison } from './applied-cuts.ts'
import type { Cuts } from './excluded-set.ts'
import type { ProjectedNotice, StalledProjection } from './kernel-types.ts'
import type { LogEntry } from './log-entry.ts'
import { createPendingRejections } from './pending-rejections.ts'
import { isSilent, isUnseen } from './silent-ops.ts'
import { createStateFlush, type StateFlush } from './state-flush.ts'

type ProjectedEntry = ProjectedNotice['ops'][number]

export interface ProjectionDeps {
  readonly state: StateDatabase
  readonly projector: Projector
  readonly follows: (entry: LogEntry, ancestor: ProjectedOp['id']) => boolean
  /** True for what lies below an epoch that is in the past of the operation. */
  readonly isBelowEpoch: (entry: LogEntry, id: ProjectedOp['id'], at: Hlc | undefined) => boolean
  /** What an operation cites, folded citations included. */
  readonly depsOf: (entry: LogEntry) => ProjectedOp['deps']
  /** What does not count, or counts as a writer's. */
  readonly cuts: AppliedCuts
  /** Where state stands after a record; by the record's place in the log unless told. */
  readonly cursorAfter?: (entry: LogEntry, before: StateCursor) => StateCursor
  /** Rejections are listed by the record's place in the log; what may outlive the log is made without them. */
  readonly forgetsRejections?: boolean
  readonly clock: Clock
  readonly logger: Logger
}

/** Over a state, by other cuts where these are given. */
export type ProjectionFactory = (
  state: StateDatabase,
  other?: Partial<Pick<ProjectionDeps, 'cuts' | 'cursorAfter' | 'forgetsRejections' | 'follows' | 'isBelowEpoch'>>,
) => Projection

export interface Projection {
  readonly state: StateDatabase
  /** With everything applied and not published in it: what the writer reads. */
  readonly working: ReadStoreTables
  /** What is published: what everybody else reads. */
  readonly visible: { readonly system: VisibleTable; readonly app: VisibleTable }
  /** The last applied record, published or not. */
  readonly appliedSeq: () => number
  /** The last published record. */
  readonly publishedSeq: () => number
  /**
   * Applies the next record. A kernel op is applied without events. When it throws, or is rejected and `refuse` was
   * asked for, there is no trace of it.
   */
  readonly apply: (entry: LogEntry, onRejected: 'record' | 'refuse') => OpOutcome<unknown>
  /** Takes back a kernel op that was applied last: it changed no table. */
  readonly retract: () => void
  /** True when an applied and unpublished record may have changed who is admitted. */
  readonly touchedSystem: () => boolean
  /** Shows what was applied, whose records are durable; answers what to tell. */
  readonly publish: () => ProjectedNotice | undefined
  /** Forgets what was applied and not published. */
  readonly discard: () => void
  /** Published rejections of records after `seq`, in log order. */
  readonly rejections: (afterSeq: number, limit: number) => readonly Rejection[]
  readonly rejectionCount: () => number
  /** What is published, as it is now. */
  readonly snapshot: () => { readonly system: TableSnapshot; readonly app: TableSnapshot }
  /** Brings what is published to disk. */
  readonly flush: StateFlush
  readonly stalled: () => StalledProjection | undefined
  readonly stall: (entry: LogEntry, error: unknown, waitsFor?: StalledProjection['waitsFor']) => StalledProjection
  readonly resume: () => void
  /**
   * Goes on with the cuts that hold now; answers false where what is applied was made with others that make another state.
   * Then nothing more is applied: state has to be made anew, unless {@link lookOn} finds that it has not.
   */
  readonly adopt: () => boolean
  /** Reads on, a few records, where it is not known yet whether state is another; false where there is nothing to read. */
  readonly lookOn: () => boolean
}

export function createProjection(deps: ProjectionDeps): Projection {
  const { state, clock, cuts } = deps
  const [system, app] = [createOverlayTable(state.system), createOverlayTable(state.app)]
  const working: StoreTables = { system: system.working, app: app.working }
  const applied = createApplied(state.cursor(), deps.cursorAfter ?? placeInLog)
  const rejections = createPendingRejections(state)
  const made = createMadeWith(cuts, { applied: applied.cursor, opened: state.cursor() })
  const flush = createStateFlush({
    ...deps,
    system,
    app,
    rejections,
    published: applied.published,
    marked: made.marked,
    publishedBytes: applied.publishedBytes,
  })

  function apply(entry: LogEntry, onRejected: 'record' | 'refuse'): OpOutcome<unknown> {
    system.mark()
    app.mark()
    let outcome: OpOutcome<unknown>
    try {
      outcome = applyOp(deps, working, { entry, mode: cuts.modeOf(made.cuts(), entry) })
    } catch (error) {
      undo(system, app)
      throw error
    }
    if (outcome.kind === 'rejected') {
      undo(system, app)
      if (onRejected === 'refuse') return outcome
    }
    applied.add(entry, outcome)
    return outcome
  }

  return {
    state,
    working,
    visible: { system: system.visible, app: app.visible },
    appliedSeq: () => applied.cursor().seq,
    publishedSeq: () => applied.published().seq,
    apply,
    retract: applied.retract,
    touchedSystem: () => system.unpublished() > 0,
    publish: () => {
      const news = applied.publish()
      if (news === undefined) return undefined
      system.publish()
      app.publish()
      if (deps.forgetsRejections !== true) rejections.add(news.rejections)
      return news.notice
    },
    discard: () => {
      system.discard()
      app.discard()
      applied.discard()
    },
    rejections: rejections.list,
    rejectionCount: rejections.count,
    snapshot: () => ({ system: system.snapshot(), app: app.snapshot() }),
    flush,
    ...createStall(clock),
    adopt: made.adopt,
    lookOn: made.lookOn,
  }
}

interface MadeWith {
  readonly cuts: () => Cuts
  readonly adopt: () => boolean
  readonly lookOn: () => boolean
  /** A cursor with what tells these cuts from others. */
  readonly marked: (cursor: StateCursor) => StateCursor
}

/** Records read at once to know whether other cuts make another state. */
const LOOKED_AT = 64

/** The cuts that what is applied was made with. */
function createMadeWith(
  { now, compare, isMarkOf, markOf }: AppliedCuts,
  { applied, opened }: { readonly applied: () => StateCursor; readonly opened: StateCursor },
): MadeWith {
  let cuts = now()
  // Of what an earlier process applied there is only the mark.
  let isOther = !isMarkOf(opened.madeWith, cuts, opened.seq)
  let last: StateCursor | undefined
  /** With the cuts of now, of what is applied: nothing is meanwhile. */
  let comparing: { readonly next: Cuts; readonly seq: number; readonly comparison: Comparison } | undefined

  function look(): void {
    const isSame = comparing?.comparison(LOOKED_AT)
    if (comparing === undefined || isSame === undefined) return
    if (isSame) [cuts, last] = [comparing.next, undefined]
    else isOther = true
    comparing = undefined
  }

  function adopt(): boolean {
    const next = now()
    const { seq } = applied()
    if (isOther) return false
    if (next === cuts) comparing = undefined
    else if (comparing?.next !== next || comparing.seq !== seq) {
      comparing = { next, seq, comparison: compare(cuts, next, seq) }
      look()
    }
    return !isOther && next === cuts
  }

  return {
    cuts: () => cuts,
    adopt,
    lookOn: () => {
      if (adopt() || comparing === undefined) return false
      look()
      return true
    },
    marked: (cursor) => {
      // What was made with others is marked so again.
      if (isOther && cursor.seq === opened.seq) return opened
      if (last?.seq === cursor.seq) return last
      const madeWith = markOf(cuts, cursor.seq)
      last = madeWith.length === 0 ? cursor : { ...cursor, madeWith }
      return last
    },
  }
}

interface Applied {
  /** The last applied record, and the last that is published. */
  readonly cursor: () => StateCursor
  readonly published: () => StateCursor
  /** Bytes of all records published so far. */
  readonly publishedBytes: () => number
  readonly add: (entry: LogEntry, outcome: OpOutcome<unknown>) => void
  readonly retract: () => void
  /** What was applied since the last time is published; undefined when there is nothing. */
  readonly publish: () => { readonly notice: ProjectedNotice; readonly rejections: readonly Rejection[] } | undefined
  readonly discard: () => void
}

/** Which records were applied and are not published yet. */
function createApplied(opened: StateCursor, cursorAfter: NonNullable<ProjectionDeps['cursorAfter']>): Applied {
  let published = opened
  let cursor = opened
  let cursorBefore = opened
  let [publishedBytes, bytes] = [0, 0]
  let ops: ProjectedEntry[] = []
  let rejections: Rejection[] = []

  function begin(): void {
    ops = []
    rejections = []
    bytes = 0
  }

  return {
    cursor: () => cursor,
    published: () => published,
    publishedBytes: () => publishedBytes,
    add: (entry, outcome) => {
      const { parsed, meta } = entry
      if (outcome.kind === 'rejected') rejections.push({ seq: meta.seq, id: parsed.id, reason: outcome.reason })
      ops.push(noticeOf(entry, outcome))
      bytes += parsed.bytes.length
      cursorBefore = cursor
      cursor = cursorAfter(entry, cursor)
    },
    retract: () => {
      const last = ops.pop()
      assert(last !== undefined && isSilent(last.kind), 'only a kernel op is taken back')
      cursor = cursorBefore
    },
    publish: () => {
      if (ops.length === 0) return undefined
      const news = { notice: { seq: cursor.seq, chainHash: cursor.chainHash, ops }, rejections }
      published = cursor
      publishedBytes += bytes
      begin()
      return news
    },
    discard: () => {
      cursor = published
      begin()
    },
  }
}

function placeInLog({ meta, chainHash }: LogEntry): StateCursor {
  return { seq: meta.seq, chainHash }
}

function createStall(clock: Clock): Pick<Projection, 'stalled' | 'stall' | 'resume'> {
  let stalled: StalledProjection | undefined
  return {
    stalled: () => stalled,
    stall: ({ meta, parsed }, error, waitsFor) => {
      stalled = { seq: meta.seq, id: parsed.id, error, since: clock.wallMs(), ...(waitsFor && { waitsFor }) }
      return stalled
    },
    resume: () => void (stalled = undefined),
  }
}

const NOTHING: OpOutcome<unknown> = { kind: 'applied', events: [] }

function applyOp(
  { projector, follows, isBelowEpoch, depsOf }: ProjectionDeps,
  tables: StoreTables,
  { entry, mode }: { readonly entry: LogEntry; readonly mode: ApplyMode },
): OpOutcome<unknown> {
  const { id, intention, op } = entry.parsed
  if (mode === 'void' || isUnseen(op.kind)) return NOTHING
  const deps = depsOf(entry)
  const projected: ProjectedOp = {
    id,
    author: intention.author,
    timestamp: intention.timestamp,
    deps,
    op: toEnvelope(op),
    follows: (ancestor) => follows(entry, ancestor),
    covers: (other, at) => isBelowEpoch(entry, other, at) || deps.some((dep) => equalBytes(dep, other)),
    ...(mode === 'writer' && { limit: 'writer' as const }),
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
