/**
 * The form of a block: the vectors of up to 32 neighbours in a lane, with their seqs.
 *
 * The first record holds its vector whole, or as what is higher than in the full vector that another block begins with;
 * each later one holds what rose since the one before. So a question costs one block and at most one more. Numbers are
 * varints; lanes ascend and are written as gaps.
 *
 *     block   first position - 32 × block, record…
 *     record  seq - that of the record before (0 before the first), 4 × payload bytes + kind, payload
 *     rises   for each: 8 × (rise - 1) + min(gap - 1, 7), then gap - 8 where that is 7
 *     full    for each: gap - 1, position
 *     over    lane and block of the full vector, then as full
 *
 * A rise counts from the position before, or from -1. Of a record's own lane nothing is written in rises and over: it
 * stands at the record's own position.
 *
 * @module
 */
import { ABSENT, type FullVector, type LanePosition } from './reach-vector.ts'
import { appendBytes, appendVarint, type Cursor, type GrowingBytes, nextVarint } from './reach-varint.ts'

/** Positions of a block: enough that its full vector is a byte or two for each, few enough that three fit a page. */
export const BLOCK_POSITIONS = 32

export const RISES = 0
export const FULL = 1
export const OVER = 2
const KINDS = 4
/** Gaps that share a byte with their rise. */
const SHORT_GAPS = 7

export type RecordKind = typeof RISES | typeof FULL | typeof OVER

/** What a record to be written holds. Lanes ascend. */
export type RecordContent =
  | { readonly kind: typeof RISES; readonly entries: readonly LanePosition[] }
  | { readonly kind: typeof FULL; readonly full: FullVector }
  | {
      readonly kind: typeof OVER
      readonly lane: number
      readonly block: number
      readonly entries: readonly LanePosition[]
    }

export function blockOf(position: number): number {
  return Math.floor(position / BLOCK_POSITIONS)
}

/** A walk over the records of a block. */
export interface BlockWalk extends Cursor {
  readonly end: number
  /** Of the record that the walk stands at. */
  position: number
  seq: number
  kind: number
  payloadAt: number
}

/** A walk that stands before the first record. */
export function walkBlock({ bytes, length }: Readonly<GrowingBytes>, block: number): BlockWalk {
  const walk: BlockWalk = { bytes, end: length, at: 0, position: 0, seq: 0, kind: RISES, payloadAt: 0 }
  walk.position = block * BLOCK_POSITIONS + nextVarint(walk) - 1
  return walk
}

/** Moves to the next record; false at the end. `walk.at` is then the end of the record. */
export function nextRecord(walk: BlockWalk): boolean {
  if (walk.at >= walk.end) return false
  walk.seq += nextVarint(walk)
  const head = nextVarint(walk)
  walk.position += 1
  walk.kind = head % KINDS
  walk.payloadAt = walk.at
  walk.at += Math.floor(head / KINDS)
  return true
}

/** By how much `lane` rises in the payload at `from`: 0 when it does not. */
export function riseIn(walk: BlockWalk, lane: number): number {
  const end = walk.at
  const cursor: Cursor = { bytes: walk.bytes, at: walk.payloadAt }
  let at = ABSENT
  while (cursor.at < end) {
    const token = nextVarint(cursor)
    const short = token % 8
    at += 1 + (short < SHORT_GAPS ? short : SHORT_GAPS + nextVarint(cursor))
    if (at >= lane) return at === lane ? 1 + Math.floor(token / 8) : 0
  }
  return 0
}

/** Calls `visit` for every rise of the record. */
export function eachRise(walk: BlockWalk, visit: (lane: number, rise: number) => void): void {
  const cursor: Cursor = { bytes: walk.bytes, at: walk.payloadAt }
  let at = ABSENT
  while (cursor.at < walk.at) {
    const token = nextVarint(cursor)
    const short = token % 8
    at += 1 + (short < SHORT_GAPS ? short : SHORT_GAPS + nextVarint(cursor))
    visit(at, 1 + Math.floor(token / 8))
  }
}

/** The block whose full vector a record of kind over builds on. Its entries follow at `entriesAt`. */
export function overBase(walk: BlockWalk): {
  readonly lane: number
  readonly block: number
  readonly entriesAt: number
} {
  const cursor: Cursor = { bytes: walk.bytes, at: walk.payloadAt }
  const lane = nextVarint(cursor)
  const block = nextVarint(cursor)
  return { lane, block, entriesAt: cursor.at }
}

/** The position of `lane` among the entries from `entriesAt` to the end of the record. */
export function entryIn(walk: BlockWalk, entriesAt: number, lane: number): number {
  const cursor: Cursor = { bytes: walk.bytes, at: entriesAt }
  let at = ABSENT
  while (cursor.at < walk.at) {
    at += 1 + nextVarint(cursor)
    const position = nextVarint(cursor)
    if (at >= lane) return at === lane ? position : ABSENT
  }
  return ABSENT
}

/** The entries from `entriesAt` to the end of the record. */
export function entriesIn(walk: BlockWalk, entriesAt: number): readonly LanePosition[] {
  const cursor: Cursor = { bytes: walk.bytes, at: entriesAt }
  const entries: LanePosition[] = []
  let at = ABSENT
  while (cursor.at < walk.at) {
    at += 1 + nextVarint(cursor)
    entries.push([at, nextVarint(cursor)])
  }
  return entries
}

/** The entries of a record of kind full, by column. */
export function entryColumns(walk: BlockWalk): Pick<FullVector, 'lanes' | 'positions'> {
  const cursor: Cursor = { bytes: walk.bytes, at: walk.payloadAt }
  // An entry takes two bytes at least.
  const entriesMax = Math.max(0, walk.at - walk.payloadAt) >>> 1
  const lanes = new Uint32Array(entriesMax)
  const positions = new Uint32Array(entriesMax)
  let count = 0
  let at = ABSENT
  while (cursor.at < walk.at && count < entriesMax) {
    at += 1 + nextVarint(cursor)
    lanes[count] = at
    positions[count] = nextVarint(cursor)
    count += 1
  }
  return { lanes: lanes.slice(0, count), positions: positions.slice(0, count) }
}

/** Begins a block whose first record will be at `position`. */
export function beginBlock(position: number): GrowingBytes {
  const target: GrowingBytes = { bytes: new Uint8Array(BLOCK_POSITIONS), length: 0 }
  appendVarint(target, position % BLOCK_POSITIONS)
  return target
}

/** Appends a record `seqGap` after the one before. Entries of rises are (lane, rise). */
export function appendRecord(target: GrowingBytes, seqGap: number, content: RecordContent): void {
  const payload: GrowingBytes = { bytes: NO_BYTES, length: 0 }
  if (content.kind === RISES) appendRises(payload, content.entries)
  else if (content.kind === FULL) appendFull(payload, content.full)
  else {
    appendVarint(payload, content.lane)
    appendVarint(payload, content.block)
    let before = ABSENT
    for (const [lane, position] of content.entries) {
      appendVarint(payload, lane - before - 1)
      appendVarint(payload, position)
      before = lane
    }
  }
  appendVarint(target, seqGap)
  appendVarint(target, payload.length * KINDS + content.kind)
  appendBytes(target, payload)
}

const NO_BYTES = new Uint8Array(0)

function appendRises(payload: GrowingBytes, rises: readonly LanePosition[]): void {
  let before = ABSENT
  for (const [lane, rise] of rises) {
    const gap = lane - before - 1
    appendVarint(payload, (rise - 1) * 8 + Math.min(gap, SHORT_GAPS))
    if (gap >= SHORT_GAPS) appendVarint(payload, gap - SHORT_GAPS)
    before = lane
  }
}

function appendFull(payload: GrowingBytes, { lanes, positions }: FullVector): void {
  let before = ABSENT
  for (let index = 0; index < lanes.length; index += 1) {
    const lane = lanes[index] ?? 0
    appendVarint(payload, lane - before - 1)
    appendVarint(payload, positions[index] ?? 0)
    before = lane
  }
}
