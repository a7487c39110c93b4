/**
 * Where a pruned log begins, and what is known of what is gone.
 *
 * What lies below the base is gone, but for the genesis and the spine: the records that decide about membership. What is
 * left to say of the rest is a position per lane, up to which all of it lies below the base, and an anchor for each
 * intention that something kept refers to. Memory follows the number of lanes and of records; anchors are looked up.
 *
 * The answers are those of the moment of the prune, from there on, whether or not the rows have been deleted yet.
 *
 * @module
 */
import { type IntentionId, toHash, toIntentionId } from '@lattice/model'
import { type Database, LogDamaged, toPlainBytes } from '@lattice/storage'
import { decodeVector } from './base-vector.ts'
import type { CutoffSpan, CutoffSpans } from './cutoff-span.ts'
import { HistoryPruned } from './errors.ts'
import type { IntentionMeta } from './log-entry.ts'
import { versionOf } from './log-meta.ts'
import { PRUNED_SINCE } from './log-schema.ts'
import {
  type AnchorRow,
  type BaseLaneRow,
  type BaseSpanRow,
  IN_SET,
  type LogBaseRow,
  VOID_EPOCH,
} from './prune-schema.ts'
import type { LanePosition } from './reach-vector.ts'

/** An intention that may be gone, with its place. */
export interface Anchor {
  readonly id: IntentionId
  readonly meta: IntentionMeta
  /** Its record is here. */
  readonly stays: boolean
}

type Spot = Pick<IntentionMeta, 'lane' | 'position'>

export interface PrunedBase {
  /** Undefined in a log that was never pruned. */
  readonly row: () => LogBaseRow | undefined
  readonly epoch: () => IntentionId | undefined
  /** The first seq from which on nothing is missing: 1 in a log that was never pruned. */
  readonly fromSeq: () => number
  /** Which prune holds; 0 without one. */
  readonly number: () => number
  /** The last position of a lane that lies below the base; -1 where none does. */
  readonly lastOf: (lane: number) => number
  readonly lanes: () => readonly BaseLaneRow[]
  readonly isBelow: (place: Spot) => boolean
  /** True for what lies below the base and is not kept. */
  readonly isGone: (place: IntentionMeta) => boolean
  readonly find: (id: IntentionId) => Anchor | undefined
  readonly at: (seq: number) => Anchor | undefined
  /** Throws `HistoryPruned` for a place below the base without an anchor. */
  readonly seqAt: (lane: number, position: number) => number
  /** True for a place below the base with an anchor. */
  readonly isAnchored: (place: Spot) => boolean
  /** Throws `HistoryPruned` for a place below the base without an anchor. */
  readonly vectorAt: (place: Spot) => readonly LanePosition[]
  /** What an ack folded that is gone; undefined for anything else. */
  readonly foldedBy: (seq: number) => readonly IntentionId[] | undefined
  /** What below the base did not count. */
  readonly spans: () => CutoffSpans
  /** Seqs of epochs below the base that had no effect, ascending. Whatever is known since, state goes on from there. */
  readonly faulty: () => readonly number[]
  readonly gone: () => HistoryPruned
  /** Reads it from the disk again. */
  readonly load: () => void
}

const ID_BYTES = 32

export function createPrunedBase(database: Database): PrunedBase {
  const readRow = database.prepare<LogBaseRow>('SELECT * FROM log_base')
  const rows = createAnchorRows(database)
  let known: Loaded | undefined

  const numberOf = (): number => known?.row.number ?? 0
  const isBelow = ({ lane, position }: Spot): boolean => position <= (known?.lasts.get(lane) ?? -1)
  function gone(): HistoryPruned {
    return new HistoryPruned(known?.epoch, known?.row.from_seq ?? 1)
  }
  function anchorAt({ lane, position }: Spot): AnchorRow {
    const row = rows.byPlace.get(numberOf(), lane, position)
    if (row === undefined) throw gone()
    return row
  }

  return {
    row: () => known?.row,
    epoch: () => known?.epoch,
    fromSeq: () => known?.row.from_seq ?? 1,
    number: numberOf,
    lastOf: (lane) => known?.lasts.get(lane) ?? -1,
    lanes: () => known?.lanes ?? [],
    isBelow,
    isGone: (place) =>
      known !== undefined && place.seq < known.row.from_seq && isBelow(place) && !known.spine.has(place.seq),
    find: (id) => {
      const row = known === undefined ? undefined : rows.byId.get(known.row.number, id)
      return row && anchorOf(row)
    },
    at: (seq) => {
      const row = known === undefined ? undefined : rows.bySeq.get(known.row.number, seq)
      return row && anchorOf(row)
    },
    seqAt: (lane, position) => anchorAt({ lane, position }).seq,
    isAnchored: ({ lane, position }) => rows.byPlace.get(numberOf(), lane, position) !== undefined,
    vectorAt: (place) => decodeVector(toPlainBytes(anchorAt(place).vector)),
    foldedBy: (seq) => {
      const deps = known === undefined ? undefined : rows.bySeq.get(known.row.number, seq)?.deps
      return deps === undefined || deps === null ? undefined : idsIn(toPlainBytes(deps))
    },
    spans: () => known?.spans ?? new Map(),
    faulty: () => known?.faulty ?? [],
    gone,
    load: () => {
      const row = versionOf(database) < PRUNED_SINCE ? undefined : readRow.get()
      known = row && loadBase(database, row, rows)
    },
  }
}

interface Loaded {
  readonly row: LogBaseRow
  readonly epoch: IntentionId
  readonly lanes: readonly BaseLaneRow[]
  readonly lasts: ReadonlyMap<number, number>
  /** Seqs of the records below the base that are here. */
  readonly spine: ReadonlySet<number>
  readonly spans: CutoffSpans
  readonly faulty: readonly number[]
}

function loadBase(database: Database, row: LogBaseRow, anchors: AnchorRows): Loaded {
  const lanes = baseLanes(database, row.number)
  const spine = database
    .prepare<{ readonly seq: number }>('SELECT seq FROM anchors WHERE number = ? AND stays > 0')
    .all(row.number)
  const spans = baseSpans(database, row.number)
  const isPlausible = row.epoch.length === ID_BYTES && row.from_seq > 1 && row.gone_count >= 0
  if (!isPlausible) throw new LogDamaged(database.path, { record: 'log_base', problem: 'a value out of range' })
  return {
    row,
    epoch: toIntentionId(toHash(toPlainBytes(row.epoch))),
    lanes,
    lasts: new Map(lanes.map(({ lane, last }) => [lane, last])),
    spine: new Set(spine.map(({ seq }) => seq)),
    spans: spansOf(database, spans),
    faulty: faultyOf(database, spans, ({ lane, first }) => anchors.byPlace.get(row.number, lane, first)),
  }
}

/** All lanes of a base, ascending. */
export function baseLanes(database: Database, number: number): readonly BaseLaneRow[] {
  return database
    .prepare<BaseLaneRow>(
      'SELECT lane, author, key, parent_lane, parent_position, last FROM base_lanes WHERE number = ? ORDER BY lane',
    )
    .all(number)
}

/** By lane, first position and kind. */
export function baseSpans(database: Database, number: number): readonly BaseSpanRow[] {
  return database
    .prepare<BaseSpanRow>(
      'SELECT lane, first, last, kind, epoch FROM base_spans WHERE number = ? ORDER BY lane, first, kind',
    )
    .all(number)
}

/** All anchors of a base by their seqs, read a page at a time. */
export function* baseAnchors(database: Database, number: number): IterableIterator<AnchorRow> {
  const page = database.prepare<AnchorRow>('SELECT * FROM anchors WHERE number = ? AND seq > ? ORDER BY seq LIMIT ?')
  for (let after = 0; ;) {
    const rows = page.all(number, after, ANCHORS_PER_PAGE)
    yield* rows
    const last = rows.at(-1)
    if (last === undefined) return
    after = last.seq
  }
}

/** Anchors read at once: some tens of KiB, however many a base has. */
const ANCHORS_PER_PAGE = 256

function spansOf(database: Database, rows: readonly BaseSpanRow[]): CutoffSpans {
  const spans = new Map<number, CutoffSpan[]>()
  for (const { lane, first, last, kind, epoch } of rows) {
    if (kind === VOID_EPOCH) continue
    if (kind !== 'all' && kind !== 'privileged') {
      throw new LogDamaged(database.path, { record: 'base_spans', problem: 'a kind that there is not' })
    }
    const cutBy = epoch === null ? undefined : toIntentionId(toHash(toPlainBytes(epoch)))
    const span: CutoffSpan = { first, last, kind, epoch: cutBy, readmissions: [] }
    spans.set(lane, [...(spans.get(lane) ?? []), span])
  }
  return spans
}

function faultyOf(
  database: Database,
  rows: readonly BaseSpanRow[],
  anchorOfRow: (row: BaseSpanRow) => AnchorRow | undefined,
): readonly number[] {
  return rows
    .filter(({ kind }) => kind === VOID_EPOCH)
    .map((row) => {
      const anchor = anchorOfRow(row)
      if (anchor?.stays === IN_SET) return anchor.seq
      throw new LogDamaged(database.path, { record: 'base_spans', problem: 'an epoch that is not kept' })
    })
    .sort((a, b) => a - b)
}

type AnchorRows = ReturnType<typeof createAnchorRows>

function createAnchorRows(database: Database) {
  return {
    byId: database.prepare<AnchorRow>('SELECT * FROM anchors WHERE number = ? AND id = ?'),
    bySeq: database.prepare<AnchorRow>('SELECT * FROM anchors WHERE number = ? AND seq = ?'),
    byPlace: database.prepare<AnchorRow>('SELECT * FROM anchors WHERE number = ? AND lane = ? AND position = ?'),
  }
}

function anchorOf(row: AnchorRow): Anchor {
  const { seq, author, lane, position, generation, wall, counter } = row
  return {
    id: toIntentionId(toHash(toPlainBytes(row.id))),
    meta: { seq, author, lane, position, generation, timestamp: { wall, counter } },
    stays: row.stays > 0,
  }
}

function idsIn(bytes: Uint8Array): readonly IntentionId[] {
  const ids: IntentionId[] = []
  for (let at = 0; at + ID_BYTES <= bytes.length; at += ID_BYTES) {
    ids.push(toIntentionId(toHash(bytes.slice(at, at + ID_BYTES))))
  }
  return ids
}
