/**
 * What a prune writes beside the log before it is decided: anchors, lanes, and the range index of what is kept.
 *
 * All of it carries the number of the prune, so that it means nothing until `log_base` names that number. What an attempt
 * left behind that came to nothing is cleared when the next one begins.
 *
 * @module
 */
import type { IntentionId } from '@lattice/model'
import { type Database, toPlainBytes } from '@lattice/storage'
import { openRangeIndex, type PersistentRangeIndex } from '@lattice/sync'
import { encodeVector } from './base-vector.ts'
import type { CutoffSpans } from './cutoff-spans.ts'
import type { IntentionMeta } from './log-entry.ts'
import { type BaseLaneRow, type BaseSpanRow, type LogBaseRow, rangeTableOf, VOID_EPOCH } from './prune-schema.ts'
import { nodeStoreOf } from './range-nodes.ts'
import type { LanePosition } from './reach-vector.ts'

export interface NewAnchor {
  readonly id: IntentionId
  readonly meta: IntentionMeta
  /** 0, `IN_SET` or `VOUCHES`. */
  readonly stays: number
  readonly vector: readonly LanePosition[]
  /** What it folded, where a kept operation unfolds that. */
  readonly folded: readonly IntentionId[] | undefined
}

export interface PruneRows {
  readonly range: PersistentRangeIndex
  readonly addAnchor: (anchor: NewAnchor) => void
  /** How many: those that are written once each, those that wait as often as they were added. */
  readonly anchors: () => number
  readonly addLane: (row: Omit<BaseLaneRow, 'key'> & { readonly key: Uint8Array }) => void
  /** How much waits to be written, roughly in rows. */
  readonly waiting: () => number
  /** Inside a transaction: writes what was added. */
  readonly write: () => void
  /** Inside the deciding transaction. */
  readonly decide: (
    row: Omit<LogBaseRow, 'number' | 'epoch' | 'prev_hash' | 'gone_fingerprint' | 'signature'> & {
      readonly epoch: Uint8Array
      readonly prev_hash: Uint8Array
      readonly gone_fingerprint: Uint8Array
      readonly signature: Uint8Array
    },
  ) => void
}

export function createPruneRows(database: Database, number: number): PruneRows {
  const range = openRangeIndex({ store: nodeStoreOf(database, rangeTableOf(number)) })
  const putAnchor = database.prepare(
    `INSERT INTO anchors VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (number, id) DO UPDATE SET deps = coalesce(deps, excluded.deps)`,
  )
  const putLane = database.prepare('INSERT INTO base_lanes VALUES (?, ?, ?, ?, ?, ?, ?)')
  const putBase = database.prepare('INSERT OR REPLACE INTO log_base VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)')
  const countAnchors = database.prepare<{ readonly count: number }>(
    'SELECT count(*) AS count FROM anchors WHERE number = ?',
  )
  let anchors: NewAnchor[] = []
  let lanes: Parameters<PruneRows['addLane']>[0][] = []

  return {
    range,
    addAnchor: (anchor) => void anchors.push(anchor),
    anchors: () => (countAnchors.get(number)?.count ?? 0) + anchors.length,
    addLane: (row) => void lanes.push(row),
    waiting: () => anchors.length + lanes.length,
    write: () => {
      for (const { id, meta, stays, vector, folded } of anchors) {
        const { seq, author, lane, position, generation, timestamp } = meta
        const deps = folded === undefined ? null : joined(folded)
        const { wall, counter } = timestamp
        putAnchor.run(
          number,
          id,
          seq,
          author,
          lane,
          position,
          generation,
          wall,
          counter,
          stays,
          encodeVector(vector),
          deps,
        )
      }
      for (const { lane, author, key, parent_lane, parent_position, last } of lanes) {
        putLane.run(number, lane, author, key, parent_lane, parent_position, last)
      }
      range.flush()
      anchors = []
      lanes = []
    },
    decide: ({ epoch, from_seq, prev_hash, gone_count, gone_fingerprint, signature, deleted_to }) =>
      void putBase.run(number, epoch, from_seq, prev_hash, gone_count, gone_fingerprint, signature, deleted_to),
  }
}

/** What of the cuts lies below the base, as rows. */
export function spanRowsOf(
  { spans, voidEpochs }: { readonly spans: CutoffSpans; readonly voidEpochs: readonly IntentionMeta[] },
  lastOf: (lane: number) => number,
): readonly BaseSpanRow[] {
  const epochs = voidEpochs
    .filter(({ lane, position }) => position <= lastOf(lane))
    .map(({ lane, position }) => ({ lane, first: position, last: position, kind: VOID_EPOCH, epoch: null }))
  return [...spans]
    .flatMap(([lane, all]) =>
      all.flatMap(({ first, last, kind, epoch }): readonly BaseSpanRow[] => {
        const end = Math.min(last, lastOf(lane))
        return first > end
          ? []
          : [{ lane, first, last: end, kind, epoch: epoch === undefined ? null : Buffer.from(epoch) }]
      }),
    )
    .concat(epochs)
    .sort((a, b) => a.lane - b.lane || a.first - b.first || (a.kind < b.kind ? -1 : 1))
}

/** Inside a transaction. */
export function writeSpans(database: Database, number: number, rows: readonly BaseSpanRow[]): void {
  const put = database.prepare('INSERT INTO base_spans VALUES (?, ?, ?, ?, ?, ?)')
  for (const { lane, first, last, kind, epoch } of rows) {
    put.run(number, lane, first, last, kind, epoch === null ? null : toPlainBytes(epoch))
  }
}

function joined(ids: readonly IntentionId[]): Uint8Array {
  const bytes = new Uint8Array(ids.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const id of ids) {
    bytes.set(id, at)
    at += id.length
  }
  return bytes
}

/** Rows deleted in one transaction. */
const CLEARED_AT_ONCE = 512

/** Clears rows of all other prunes than the one that holds, a few at a time; each step is a transaction of its own. */
export function* clearOtherPrunes(database: Database, number: number): Generator<void, void, undefined> {
  const unused = rangeTableOf(number + 1)
  const statements = [
    'DELETE FROM anchors WHERE (number, id) IN (SELECT number, id FROM anchors WHERE number <> ? LIMIT ?)',
    'DELETE FROM base_lanes WHERE (number, lane) IN (SELECT number, lane FROM base_lanes WHERE number <> ? LIMIT ?)',
    `DELETE FROM base_spans WHERE (number, lane, first, kind) IN
       (SELECT number, lane, first, kind FROM base_spans WHERE number <> ? LIMIT ?)`,
    `DELETE FROM ${unused} WHERE node IN (SELECT node FROM ${unused} WHERE ? >= 0 LIMIT ?)`,
  ].map((sql) => database.prepare(sql))
  for (const statement of statements) {
    while (database.relaxed(() => statement.run(number, CLEARED_AT_ONCE)) > 0) yield
  }
}
