/**
 * Which intentions call for no ack: acks themselves. Without that, two nodes would acknowledge each other's acks for ever.
 *
 * They are kept as spans of positions of a lane, each with how many come before it, so that counting the others between
 * two positions, or finding the first of them, is a look-up however long the lane. Neighbours share a span: a peer that
 * writes nothing but acks costs one row.
 *
 * @module
 */
import { assert, type OpKind } from '@lattice/model'
import type { Database } from '@lattice/storage'
import type { LogEntry } from './log-entry.ts'
import type { LogIndex } from './log-index.ts'

export interface QuietSpans extends LogIndex {
  /** How many intentions of a lane up to a position, it included, call for no ack. */
  readonly countUpTo: (lane: number, position: number) => number
  /** The first position of a lane after `position` that calls for an ack, or would: it may be beyond the lane's head. */
  readonly nextLoud: (lane: number, position: number) => number
}

interface Span {
  readonly first: number
  /** Inclusive. */
  last: number
  /** Intentions of earlier spans of the lane. */
  readonly before: number
}

interface ReadSpan {
  /** The last that begins at `upTo` or before; undefined where none does. */
  readonly span: Span | undefined
  readonly upTo: number
}

/** Lanes of which spans are kept in memory: as many as a store has authors, most often. */
const READ_LANES_MAX = 4096
/** Spans of a lane that are: where it ends, and up to where others have seen it. */
const READ_SPANS_MAX = 4

export const QUIET_TABLE = `CREATE TABLE quiet (
     lane INTEGER NOT NULL,
     first INTEGER NOT NULL,
     last INTEGER NOT NULL,
     before INTEGER NOT NULL,
     PRIMARY KEY (lane, first)
   ) WITHOUT ROWID;`

/** True for what calls for no ack. */
export function isQuiet(kind: OpKind): boolean {
  return kind === 'ack' || kind === 'epochAck'
}

export function createQuietSpans(database: Database): QuietSpans {
  /** By lane, ascending: those that changed since the last checkpoint, and all after them. */
  let open = new Map<number, Span[]>()
  /** By lane, what was last found on disk: how far everybody is behind is asked again and again. */
  const read = new Map<number, readonly ReadSpan[]>()
  const put = database.prepare('INSERT OR REPLACE INTO quiet VALUES (?, ?, ?, ?)')
  const at = database.prepare<Span>(
    'SELECT first, last, before FROM quiet WHERE lane = ? AND first <= ? ORDER BY first DESC LIMIT 1',
  )

  /** The last span that begins at or before a position. */
  function find(lane: number, position: number): Span | undefined {
    const recent = open.get(lane)?.findLast(({ first }) => first <= position)
    return recent ?? findOnDisk(lane, position)
  }

  function findOnDisk(lane: number, position: number): Span | undefined {
    const known = read.get(lane) ?? []
    // No span of the lane begins between one that was found and the position for which it was.
    const found = known.find(({ span, upTo }) => position <= upTo && position >= (span?.first ?? -Infinity))
    if (found !== undefined) return found.span
    const span = at.get(lane, position)
    if (read.size >= READ_LANES_MAX) read.clear()
    read.set(lane, [{ span, upTo: position }, ...known.slice(0, READ_SPANS_MAX - 1)])
    return span
  }

  function extend(lane: number, position: number): void {
    const spans = open.get(lane) ?? []
    open.set(lane, spans)
    const last = find(lane, position)
    assert(last === undefined || last.last < position, 'positions of a lane grow')
    const isNeighbour = last?.last === position - 1
    if (isNeighbour && spans.at(-1) === last) last.last = position
    else if (isNeighbour) spans.push({ ...last, last: position })
    else spans.push({ first: position, last: position, before: last === undefined ? 0 : countOf(last) })
  }

  return {
    countUpTo: (lane, position) => {
      const span = find(lane, position)
      return span === undefined ? 0 : span.before + Math.min(position, span.last) - span.first + 1
    },
    nextLoud: (lane, position) => {
      const next = position + 1
      const span = find(lane, next)
      return span === undefined || span.last < next ? next : span.last + 1
    },
    advance: ({ parsed, meta }: LogEntry) => {
      if (isQuiet(parsed.op.kind)) extend(meta.lane, meta.position)
    },
    retreat: ({ parsed, meta }) => {
      if (!isQuiet(parsed.op.kind)) return
      const spans = open.get(meta.lane)
      const last = spans?.at(-1)
      assert(last?.last === meta.position, 'only the last advance is taken back')
      if (last.first === last.last) spans?.pop()
      else last.last -= 1
    },
    checkpoint: () => {
      for (const [lane, spans] of open) {
        for (const { first, last, before } of spans) put.run(lane, first, last, before)
      }
      open = new Map()
      read.clear()
    },
    load: () => {
      open = new Map()
      read.clear()
    },
  }
}

function countOf({ first, last, before }: Span): number {
  return before + last - first + 1
}
