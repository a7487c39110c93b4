/**
 * What would go with a prune and what would stay, counted; and about how many bytes that is.
 *
 * What lies below an epoch is a part of each lane, so counting it reads nothing. Of the records' sizes so many are looked at
 * that a store of any length costs the same, spread evenly over what goes and over what stays: sizes change with time.
 *
 * @module
 */
import type { BookItem } from './book-items.ts'
import { type DownsetLane, downsetOf } from './downset.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { Lane } from './lane-book.ts'
import type { LogStore } from './log-store.ts'
import type { PlannedPart } from './prune-plan.ts'

export type PartsLog = Pick<LogStore, 'authors' | 'reach' | 'reader' | 'book' | 'database' | 'meta' | 'base'>

/** The lanes as they would be cut, and the records below that stay. */
export interface PruneParts {
  readonly goes: readonly DownsetLane[]
  readonly stays: readonly DownsetLane[]
  /** Seqs of what is below and stays. */
  readonly spine: readonly number[]
}

/** Record sizes looked at in each part: with sizes as different as files', they average to a few in a hundred. */
const SAMPLES = 1024
/** What the indexes take for an intention, about: id, range, reach. */
const INDEX_BYTES = 64
/** Neighbours of a sample are far apart, and it falls into step with nothing that repeats. */
const GOLDEN = 0.618_033_988_749_895

export interface Cut {
  /** Where: at an epoch, after all that is there, or before. */
  readonly at: BookEpoch | 'end' | 'start'
  /** What is below it is gone already. */
  readonly base: BookEpoch | undefined
}

export function partsOf(log: PartsLog, { at, base }: Cut): PruneParts {
  const below = typeof at === 'string' ? undefined : downsetOf(log, at)
  const gone = base === undefined ? undefined : downsetOf(log, base)
  const goes: DownsetLane[] = []
  const stays: DownsetLane[] = []
  for (const { number: lane, parent, head } of log.authors.lanes()) {
    const begin = Math.max(firstOf(parent), (gone?.lastOf(lane) ?? -1) + 1)
    const end = below?.lastOf(lane) ?? (at === 'end' ? head.position : -1)
    if (begin <= end) goes.push({ lane, first: begin, last: end })
    const first = Math.max(begin, end + 1)
    if (first <= head.position) stays.push({ lane, first, last: head.position })
  }
  return { goes, stays, spine: spineSeqs(log, at === 'start' ? base : at) }
}

/** The genesis and the records below an epoch, or all of them; none where nothing is below. */
function spineSeqs({ book }: PartsLog, end: BookEpoch | 'end' | undefined): readonly number[] {
  if (end === undefined) return []
  const isBelow = ({ meta }: BookItem): boolean => end === 'end' || book.isBefore(meta, end.meta)
  const records = book.all().filter((record) => record.meta.seq > 1 && isBelow(record))
  return [1, ...records.map(({ meta }) => meta.seq)]
}

function firstOf(parent: Lane['parent']): number {
  return parent === undefined ? 0 : parent.position + 1
}

export interface MeasuredParts {
  readonly goes: PlannedPart
  readonly stays: PlannedPart
  readonly freedBytes: number
}

export function measureParts(log: PartsLog, { goes, stays, spine }: PruneParts): MeasuredParts {
  const sizeOf = createSizes(log)
  const isCut = createCovers(log, goes)
  const kept = spine.filter(isCut)
  const whole = estimate(log, goes, sizeOf)
  // What was gone before and is a record is here as well.
  const records = sumOf(spine, sizeOf)
  const rest = estimate(log, stays, sizeOf)
  const going = {
    intentions: whole.intentions - kept.length,
    bytes: Math.max(0, whole.bytes - sumOf(kept, sizeOf)),
  }
  const staying = { intentions: rest.intentions + spine.length, bytes: rest.bytes + records }
  const share = (part: PlannedPart): number => part.bytes + part.intentions * INDEX_BYTES
  const all = share(going) + share(staying)
  const freedBytes = all === 0 ? 0 : Math.round((fileBytes(log) * share(going)) / all)
  return { goes: rounded(going), stays: rounded(staying), freedBytes }
}

type SizeOf = (seq: number) => number

function createSizes({ database }: PartsLog): SizeOf {
  const read = database.prepare<{ readonly bytes: number }>(
    'SELECT length(record) AS bytes FROM intentions WHERE seq = ?',
  )
  return (seq) => read.get(seq)?.bytes ?? 0
}

/** Whether the record at a seq is in one of the lanes' parts. */
function createCovers({ book, reach }: PartsLog, parts: readonly DownsetLane[]): (seq: number) => boolean {
  const byLane = new Map(parts.map((part) => [part.lane, part]))
  const places = new Map(book.all().map(({ meta }) => [meta.seq, meta]))
  const genesis = byLane.get(0)
  return (seq) => {
    if (seq === 1) return genesis?.first === 0 && reach.seqAt(0, 0) === 1
    const place = places.get(seq)
    const part = place && byLane.get(place.lane)
    return part !== undefined && place !== undefined && part.first <= place.position && place.position <= part.last
  }
}

/** All of them where they are few. */
function estimate({ reach }: PartsLog, parts: readonly DownsetLane[], sizeOf: SizeOf): PlannedPart {
  const intentions = parts.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  const samples = Math.min(intentions, SAMPLES)
  let bytes = 0
  let [part, before] = [0, 0]
  for (let sample = 0; sample < samples; sample += 1) {
    const offset = samples === intentions ? 0 : (sample * GOLDEN) % 1
    const wanted = Math.floor(((sample + offset) * intentions) / samples)
    let lane = parts[part]
    for (; lane !== undefined && wanted - before > lane.last - lane.first; lane = parts[part]) {
      before += lane.last - lane.first + 1
      part += 1
    }
    if (lane !== undefined) bytes += sizeOf(reach.seqAt(lane.lane, lane.first + wanted - before))
  }
  return { intentions, bytes: samples === 0 ? 0 : (bytes * intentions) / samples }
}

function sumOf(seqs: readonly number[], sizeOf: SizeOf): number {
  return seqs.reduce((sum, seq) => sum + sizeOf(seq), 0)
}

function fileBytes({ database }: PartsLog): number {
  const pages = database.prepare<{ readonly page_count: number }>('PRAGMA page_count').get()?.page_count ?? 0
  const size = database.prepare<{ readonly page_size: number }>('PRAGMA page_size').get()?.page_size ?? 0
  return pages * size
}

function rounded({ intentions, bytes }: PlannedPart): PlannedPart {
  return { intentions, bytes: Math.round(bytes) }
}
