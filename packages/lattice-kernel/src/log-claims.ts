/**
 * What a log says of its records beside them, as of its last checkpoint, compared with what the records say.
 *
 * @module
 */
import { compareHlc, equalBytes, type Hlc, MAX_DRIFT_MS } from '@lattice/model'
import type { Database } from '@lattice/storage'
import type { CheckedRecords } from './check-records.ts'
import { type BookRows, createEpochRows } from './epoch-rows.ts'
import type { PrunedBase } from './log-base.ts'
import { type LogMeta, readMeta, versionOf } from './log-meta.ts'
import { reasonOf } from './record-scan.ts'
import type { DerivedProblem, VerifyProblem } from './verify-types.ts'
import { createExcludedRows, type ExcludedRow } from './excluded-rows.ts'
import { type AuthorRow, EPOCHS_SINCE, EXCLUDED_SINCE, type FrontierRow, type LaneRow } from './log-schema.ts'

interface QuietRow {
  readonly lane: number
  readonly first: number
  readonly last: number
  readonly before: number
}

/** Rows, or why they cannot be read. */
type Rows<T> = readonly T[] | string

export interface LogClaims {
  /** Where the log stood at the checkpoint; a sentence where that cannot be read. */
  readonly meta: LogMeta | string
  readonly authors: Rows<AuthorRow>
  readonly lanes: Rows<LaneRow>
  readonly frontier: Rows<FrontierRow>
  readonly quiet: Rows<QuietRow>
  /** What is excluded; empty in a log from before anything was. */
  readonly excluded: Rows<ExcludedRow>
  /** The epoch book, and up to which record it goes; empty in a log from before there were epochs. */
  readonly book: { readonly seq: number; readonly rows: BookRows } | string
}

/** Reads what the log claims. Never throws for damage. */
export function readClaims(database: Database): LogClaims {
  const rows = <T>(sql: string): Rows<T> => {
    try {
      return database.prepare<T>(sql).all()
    } catch (error) {
      return reasonOf(error)
    }
  }
  return {
    meta: claimedMeta(database),
    authors: rows<AuthorRow>('SELECT * FROM authors ORDER BY author'),
    lanes: rows<LaneRow>('SELECT * FROM lanes ORDER BY lane'),
    frontier: rows<FrontierRow>('SELECT seq, id FROM frontier ORDER BY seq'),
    quiet: rows<QuietRow>('SELECT * FROM quiet ORDER BY lane, first'),
    excluded: claimedExcluded(database),
    book: claimedBook(database),
  }
}

function claimedExcluded(database: Database): LogClaims['excluded'] {
  try {
    return versionOf(database) < EXCLUDED_SINCE ? [] : createExcludedRows(database).all()
  } catch (error) {
    return reasonOf(error)
  }
}

/** Whether a record is excluded, by what the log claims. */
export function claimsExcluded({ excluded }: LogClaims): (place: { lane: number; position: number }) => boolean {
  const firsts = new Map(typeof excluded === 'string' ? [] : excluded.map(({ lane, first }) => [lane, first] as const))
  return ({ lane, position }) => position >= (firsts.get(lane) ?? Infinity)
}

function claimedBook(database: Database): LogClaims['book'] {
  try {
    if (versionOf(database) < EPOCHS_SINCE) return { seq: 0, rows: { records: [], acks: [] } }
    const rows = createEpochRows(database)
    return { seq: rows.read().bookSeq, rows: rows.all() }
  } catch (error) {
    return reasonOf(error)
  }
}

function claimedMeta(database: Database): LogMeta | string {
  try {
    return readMeta(database) ?? 'it is missing'
  } catch (error) {
    return reasonOf(error)
  }
}

/** Of each lane of a pruned log, the last span below the base: it knows how many came before. */
export function claimedQuietBelow({ quiet }: LogClaims, base: Pick<PrunedBase, 'lastOf'>): readonly QuietRow[] {
  if (typeof quiet === 'string') return []
  const byLane = new Map<number, QuietRow>()
  for (const row of quiet) {
    const end = base.lastOf(row.lane)
    if (row.first <= end) byLane.set(row.lane, { ...row, last: Math.min(row.last, end) })
  }
  return [...byLane.values()].sort((a, b) => a.lane - b.lane)
}

/** Up to which record the claims speak: none where that cannot be read. */
export function checkpointSeq({ meta }: LogClaims): number {
  return typeof meta === 'string' ? 0 : meta.headSeq
}

export interface ClaimsChecked {
  readonly entries: number
  readonly problems: readonly VerifyProblem[]
}

export type LogOwner = Pick<LogMeta, 'storeId' | 'witnessKey'>

/** A clock gives no time twice, and follows others no further than they may be ahead. */
export function isPlausibleClock(hlc: Hlc, { latestOwn, highestWall, latestMs }: ClockBounds): boolean {
  return compareHlc(hlc, latestOwn) >= 0 && hlc.wall <= Math.max(highestWall, latestMs) + MAX_DRIFT_MS
}

export type ClockBounds = Pick<CheckedRecords, 'latestOwn' | 'highestWall' | 'latestMs'>

/** Compares the claims with the records up to the checkpoint. */
export function checkClaims(claims: LogClaims, records: CheckedRecords, owner: LogOwner): ClaimsChecked {
  const problems: VerifyProblem[] = []
  const report = (kind: DerivedProblem, what: string): void =>
    void problems.push({ kind, seq: undefined, id: undefined, what })
  checkMeta(claims.meta, { records, owner, report: (what) => report('meta', what) })
  const compare = <T>(name: string, rows: Rows<T>, { size, isRight }: Expected<T>): number => {
    if (typeof rows === 'string') report('index', `${name}: ${rows}`)
    else {
      const wrong = rows.findIndex((row, index) => !isRight(row, index))
      if (wrong >= 0) report('index', `${name}: entry ${wrong} is not what the records say`)
      else if (rows.length !== size) report('index', `${name}: ${rows.length} entries instead of ${size}`)
    }
    return rows.length
  }
  const entries =
    compare('authors', claims.authors, {
      size: records.authors.length,
      isRight: ({ author, key }, index) => author === index && sameBytes(key, records.authors[index]),
    }) +
    compare('lanes', claims.lanes, {
      size: records.lanes.length,
      isRight: (row, index) => isLane(records, row, index),
    }) +
    compare('frontier', claims.frontier, {
      size: records.frontier.size,
      isRight: ({ seq, id }) => records.frontier.has(seq) && sameBytes(id, records.seen.idAt(seq)),
    }) +
    compare('excluded', claims.excluded, {
      size: typeof claims.excluded === 'string' ? 0 : claims.excluded.length,
      isRight: (row) => isEndOfLane(records, row),
    }) +
    compare('quiet', withoutGone(claims.quiet, records), {
      size: records.quiet.length,
      isRight: (row, index) => isQuietSpan(records, row, index),
    })
  return { entries, problems }
}

interface Expected<T> {
  readonly size: number
  readonly isRight: (row: T, index: number) => boolean
}

interface MetaCheck {
  readonly records: CheckedRecords
  readonly owner: LogOwner
  readonly report: (what: string) => void
}

function checkMeta(meta: LogClaims['meta'], { records, owner, report }: MetaCheck): void {
  if (typeof meta === 'string') return report(meta)
  if (!equalBytes(meta.storeId, owner.storeId)) return report('it names another store')
  if (!equalBytes(meta.witnessKey, owner.witnessKey)) return report('it names another node')
  if (meta.storeType !== records.storeType) report('it names another store type')
  if (meta.highestWall !== records.highestWall) report('its highest wall time is not that of the records')
  if (!isPlausibleClock(meta.hlc, records)) report('its clock is not one that made the records')
  if (!equalBytes(meta.headHash, records.chainHash)) return report('it has another hash for the last record it knows')
  if (!equalBytes(meta.fingerprint, records.fingerprint)) report('its fingerprint is not the sum of the ids')
}

/** Without what a prune may not have deleted yet. */
function withoutGone(rows: Rows<QuietRow>, { quiet }: CheckedRecords): Rows<QuietRow> {
  if (typeof rows === 'string' || rows.length === quiet.length) return rows
  const firsts = new Map<number, number>()
  for (const { lane, first } of quiet) firsts.set(lane, Math.min(first, firsts.get(lane) ?? Infinity))
  return rows.filter(({ lane, first }) => first >= (firsts.get(lane) ?? 0))
}

function isLane({ lanes, seen }: CheckedRecords, row: LaneRow, index: number): boolean {
  const lane = lanes[index]
  if (lane === undefined || row.lane !== index || row.author !== lane.author) return false
  const isParent = (row.parent_lane ?? undefined) === lane.parent?.lane
  const isBranch = (row.parent_position ?? undefined) === lane.parent?.position
  const isHead = row.head_seq === lane.head.seq && row.head_position === lane.head.position
  return isParent && isBranch && isHead && sameBytes(row.head_id, seen.idAt(row.head_seq))
}

/** What is excluded is the end of a lane: something of it, at most all of it. */
function isEndOfLane({ lanes }: CheckedRecords, { lane: number, first, last }: ExcludedRow): boolean {
  const lane = lanes[number]
  return lane !== undefined && first > (lane.parent?.position ?? -1) && first <= last && last === lane.head.position
}

function isQuietSpan({ quiet }: CheckedRecords, row: QuietRow, index: number): boolean {
  const span = quiet[index]
  const isPlace = span?.lane === row.lane && span.first === row.first
  return isPlace && span.last === row.last && span.before === row.before
}

function sameBytes(stored: unknown, made: Uint8Array | undefined): boolean {
  return stored instanceof Uint8Array && made !== undefined && equalBytes(stored, made)
}
