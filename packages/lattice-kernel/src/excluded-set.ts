/**
 * Which records of the log are excluded: beyond a cutoff, and in the past of nothing that counts.
 *
 * They stay in the log, for records are never taken out of its chain, and may count again. But they are no part of the set
 * that nodes reconcile: the range index and the frontier are without them, and whoever counts, lists or tells ends asks here.
 * It follows from the records of the log and what they say of membership, whatever came first.
 *
 * It is settled for a whole group of records at once, right before they are committed, and again when the log is read from
 * the disk: a run is there as a whole by then. While nobody is limited that costs nothing. Memory follows the lanes that
 * are cut.
 *
 * @module
 */
import {
  equalBytes,
  assert,
  causesOf,
  type IdKey,
  idKey,
  type IntentionId,
  isSigned,
  MAX_RUN_LENGTH,
  type PublicKey,
} from '@lattice/model'
import { isOutOfState } from '@lattice/store-base'
import type { Database } from '@lattice/storage'
import type { PersistentRangeIndex } from '@lattice/sync'
import type { BookItem } from './book-items.ts'
import { findExcluded, type LinkLane, type LinkPorts, maximalPlaces } from './bare-links.ts'
import { type CutoffSpans, faultyOverBase, findCutoffSpans, newlyCut, overBase, spanAt } from './cutoff-spans.ts'
import { createExcludedMover, type ExcludedMover } from './excluded-mover.ts'
import { createExcludedRows, type ExcludedRow, type ExcludedRows, isSameRow } from './excluded-rows.ts'
import type { Frontier } from './frontier.ts'
import type { Lane, LaneBook } from './lane-book.ts'
import { type LimitingEpoch, type Limits, type LimitsView } from './limits.ts'
import type { PrunedBase } from './log-base.ts'
import type { IntentionMeta, LogEntry, LogTip } from './log-entry.ts'
import type { LogIndex } from './log-index.ts'
import type { LogReach } from './reach-log.ts'
import type { Place } from './reach-vector.ts'

/** How what is witnessed is limited. Never changed once made. */
export interface Cuts {
  readonly spans: CutoffSpans
  /** Seqs of epochs that have no effect, or are excluded, ascending. */
  readonly faulty: readonly number[]
}

/** Records of one author that counted until now. */
export interface NewlyExcluded {
  readonly author: PublicKey
  readonly count: number
  /** Whose cutoff they are beyond; undefined where all that admitted the author is. */
  readonly epoch: IntentionId | undefined
}

/** A record beyond a cutoff of all that its author writes. */
export interface BeyondRecord {
  readonly entry: LogEntry
  readonly epoch: IntentionId | undefined
  /** Something that counts has it in its past. */
  readonly isLink: boolean
}

export interface ExcludedSet extends LogIndex {
  /**
   * Brings it up to what is appended, and to what the limits are. The range index follows a little at a time where much
   * changed: see `move`.
   */
  readonly settle: () => void
  /** True while the range index is not without exactly what is excluded. */
  readonly isMoving: () => boolean
  /** Takes so many more out of the range index, or puts them back. */
  readonly move: (limit: number) => void
  /** What the range index is without; the same as `rows` unless it is moving. */
  readonly moved: () => readonly ExcludedRow[]
  readonly cuts: () => Cuts
  /** The limits that it was settled by; undefined while nobody can be limited. */
  readonly view: () => LimitsView | undefined
  /** The epochs of the log as of then, and those appended since. */
  readonly epochs: () => readonly LimitingEpoch[]
  readonly count: () => number
  readonly isExcluded: (place: Pick<Place, 'lane' | 'position'>) => boolean
  /** The first position of a lane that is excluded, as all after it are; infinite where none is. */
  readonly endOf: (lane: number) => number
  /** Changes when something is excluded that was not, or the other way round. */
  readonly version: () => number
  /** What was excluded since the last time. */
  readonly takeNews: () => readonly NewlyExcluded[]
  /** What is beyond a cutoff, lane by lane, from after a place on. */
  readonly list: (limit: number, after?: Pick<Place, 'lane' | 'position'>) => readonly BeyondRecord[]
  /** As it goes to disk. */
  readonly rows: () => readonly ExcludedRow[]
  /** What the limits make of the records, made anew: the same as `rows`. */
  readonly derive: () => readonly ExcludedRow[]
}

export interface ExcludedSetDeps {
  readonly database: Database
  readonly base: Pick<PrunedBase, 'lastOf' | 'isBelow' | 'spans' | 'faulty'>
  readonly limits: Limits
  readonly authors: LaneBook
  readonly reach: LogReach
  readonly range: PersistentRangeIndex
  readonly frontier: Frontier
  readonly find: (id: IntentionId) => IntentionMeta | undefined
  readonly entryAt: (seq: number) => LogEntry
  readonly tipAt: (seq: number) => LogTip
  readonly headSeq: () => number
}

/** Records that the range index follows within a settlement: some milliseconds. */
const MOVED_AT_ONCE = 64

const NO_CUTS: Cuts = { spans: new Map(), faulty: [] }

export function createExcludedSet(deps: ExcludedSetDeps): ExcludedSet {
  const set = new Excluded(deps)
  return {
    settle: () => set.settle(),
    isMoving: set.mover.isMoving,
    move: set.mover.move,
    moved: () => inOrder(set.mover.moved()),
    cuts: () => set.cuts,
    view: () => set.view,
    epochs: deps.limits.epochs,
    count: () => set.count,
    isExcluded: (place) => set.isExcluded(place),
    endOf: (lane) => set.endOf(lane),
    version: () => set.version,
    takeNews: () => joined(set.news.splice(0)),
    list: (limit, after) =>
      listBeyond(set.ports, { cuts: set.cuts, endOf: (lane) => set.endOf(lane), limit, ...(after && { after }) }),
    rows: () => inOrder(set.rows),
    derive: () => inOrder(set.derive().rows),
    advance: (entry) => set.follow(entry),
    retreat: () => {},
    checkpoint: () => set.checkpoint(),
    load: () => set.load(),
    isBehind: () => !set.isStored,
  }
}

function inOrder(rows: ReadonlyMap<number, ExcludedRow>): readonly ExcludedRow[] {
  return [...rows.values()].sort((a, b) => a.lane - b.lane)
}

class Excluded {
  readonly ports: Ports
  rows = new Map<number, ExcludedRow>()
  cuts: Cuts = NO_CUTS
  /** What it was settled by. */
  view: LimitsView | undefined
  count = 0
  version = 0
  isStored = true
  readonly news: NewlyExcluded[] = []
  readonly #deps: ExcludedSetDeps
  readonly #table: ExcludedRows
  #limited: ReadonlySet<IdKey> = new Set()
  readonly mover: ExcludedMover
  /** Something came that may change what is excluded. */
  #isTouched = true
  /** Records up to here were settled; what is excluded later was never told to count. */
  #settledSeq = 0
  #settledVersion = -1
  /** What is found right after it was read from the disk is no news. */
  #isFresh = true

  constructor(deps: ExcludedSetDeps) {
    this.#deps = deps
    this.#table = createExcludedRows(deps.database)
    this.ports = createPorts(deps)
    this.mover = createExcludedMover({
      range: deps.range,
      entryOf: this.ports.entryOf,
      rowOf: (lane) => this.rows.get(lane),
    })
  }

  endOf(lane: number): number {
    return this.rows.get(lane)?.first ?? Infinity
  }

  isExcluded({ lane, position }: Pick<Place, 'lane' | 'position'>): boolean {
    return position >= this.endOf(lane)
  }

  follow({ parsed: { intention } }: LogEntry): void {
    if (this.#isTouched || (this.#limited.size === 0 && this.rows.size === 0)) return
    const isOut = (id: IntentionId): boolean => {
      const meta = this.#deps.find(id)
      return meta !== undefined && this.isExcluded(meta)
    }
    this.#isTouched = this.#limited.has(idKey(intention.author)) || causesOf(intention).some(isOut)
  }

  derive(): { readonly cuts: Cuts; readonly rows: Map<number, ExcludedRow> } {
    const { base, limits, find, authors } = this.#deps
    const epochs = limits.epochs()
    const faultyOf = (out: readonly LimitingEpoch[]): readonly number[] =>
      faultyOverBase(
        base,
        out.flatMap(({ id }) => find(id) ?? []),
      )
    if (!limits.mayLimit()) {
      return {
        cuts: { spans: NO_CUTS.spans, faulty: faultyOf(epochs.filter(({ isNone }) => isNone)) },
        rows: new Map(),
      }
    }
    const view = limits.view()
    const kept = findCutoffSpans(this.ports, view, limits.shown?.())
    const spans = overBase(base, kept)
    const rows = new Map<number, ExcludedRow>()
    // What lies below the base is in the past of something that counts.
    const excluded = kept.size === 0 ? [] : findExcluded(this.ports, kept, rootsOf(limits, view, kept))
    for (const [lane, first] of excluded) {
      rows.set(lane, { lane, first, last: authors.lane(lane).head.position })
    }
    // Also one that may come to count is in no state while it is no part of the set: not everybody has it.
    const isLeftOut = (id: IntentionId): boolean => {
      const place = rows.size === 0 ? undefined : find(id)
      return place !== undefined && place.position >= (rows.get(place.lane)?.first ?? Infinity)
    }
    const faulty = faultyOf(epochs.filter(({ id }) => isOutOfState(view.faultOf(id)) || isLeftOut(id)))
    return { cuts: { spans, faulty }, rows }
  }

  settle(): void {
    const { limits, headSeq } = this.#deps
    const version = limits.version()
    if (this.#isTouched || version !== this.#settledVersion) {
      const next = this.derive()
      if (!this.#isFresh) this.#tell(next.cuts.spans)
      this.cuts = isEmpty(next.cuts) ? NO_CUTS : next.cuts
      this.#move(next.rows)
      this.view = limits.mayLimit() ? limits.view() : undefined
      this.#limited = new Set(this.view?.limited().map(idKey))
      this.#settledVersion = version
    }
    this.#settledSeq = headSeq()
    this.#isTouched = false
    this.#isFresh = false
  }

  /** Takes what is excluded out of the frontier, and begins to take it out of the range index; puts back what is not. */
  #move(next: Map<number, ExcludedRow>): void {
    const { frontier, tipAt } = this.#deps
    const { ports } = this
    const changed = [...new Set([...this.rows.keys(), ...next.keys()])].filter(
      (lane) => !isSameRow(this.rows.get(lane), next.get(lane)),
    )
    this.rows = next
    this.count = [...next.values()].reduce((sum, { first, last }) => sum + last - first + 1, 0)
    if (changed.length === 0) return
    this.mover.follow(changed)
    this.mover.move(MOVED_AT_ONCE)
    this.version += 1
    this.isStored = false
    const heads = maximalPlaces(
      ports.vectorOf,
      ports.heads((lane) => this.endOf(lane)),
    )
    frontier.replace(heads.map(({ seq }) => tipAt(seq)))
  }

  /** Notes what counted when it was settled last and does not any more, links as well. */
  #tell(spans: CutoffSpans): void {
    const { authors } = this.#deps
    for (const { lane, count, epoch } of newlyCut(this.cuts.spans, spans, (lane) => this.#lastSettled(lane))) {
      this.news.push({ author: authors.byNumber(authors.lane(lane).author).key, count, epoch })
    }
  }

  /** The last position of a lane that was settled; before its first when none was. */
  #lastSettled(lane: number): number {
    const { parent, head } = this.#deps.authors.lane(lane)
    let { position } = head
    while (position >= firstOf(parent) && this.ports.placeAt(lane, position).seq > this.#settledSeq) position -= 1
    return position
  }

  checkpoint(): void {
    assert(!this.mover.isMoving(), 'the disk gets a range index and what it is without')
    if (!this.isStored) this.#table.replace(this.rows.values())
    this.isStored = true
  }

  load(): void {
    this.rows = new Map(this.#table.all().map((row) => [row.lane, row]))
    this.mover.load(this.rows)
    this.cuts = NO_CUTS
    this.view = undefined
    this.#limited = new Set()
    this.#isTouched = true
    this.#settledVersion = -1
    this.isStored = true
    this.#isFresh = true
    this.news.length = 0
    this.version += 1
  }
}

function isEmpty({ spans, faulty }: Cuts): boolean {
  return spans.size === 0 && faulty.length === 0
}

interface Ports extends LinkPorts {
  readonly find: (id: IntentionId) => Place | undefined
  readonly lanesOf: (author: PublicKey) => readonly { number: number; first: number; last: number }[]
  readonly reach: (place: Place, lane: number) => number
  readonly entryOf: (lane: number, position: number) => LogEntry
  /** The last of each lane that is not excluded. */
  readonly heads: (endOf: (lane: number) => number) => readonly Place[]
  readonly laneAt: (lane: number) => Lane
  /** The first position of a lane that no prune took. */
  readonly firstKept: (lane: number) => number
}

function createPorts({ base, authors, reach, entryAt, find }: ExcludedSetDeps): Ports {
  const placeAt = (lane: number, position: number): Place => {
    const { head } = authors.lane(lane)
    return { lane, position, seq: position === head.position ? head.seq : reach.seqAt(lane, position) }
  }
  const linkLane = ({ number, parent, head }: Lane): LinkLane => {
    return { number, parent, first: firstOf(parent), head: { lane: number, position: head.position, seq: head.seq } }
  }
  return {
    find,
    placeAt,
    laneAt: authors.lane,
    firstKept: (lane) => base.lastOf(lane) + 1,
    entryOf: (lane, position) => entryAt(placeAt(lane, position).seq),
    reach: reach.reach,
    vectorOf: reach.vectorOf,
    lanes: () => authors.lanes().map(linkLane),
    lanesOf: (author) =>
      (authors.find(author)?.lanes ?? []).map((number) => {
        const { parent, head } = authors.lane(number)
        // Below the base it is known what does not count, and is so for ever.
        return { number, first: Math.max(firstOf(parent), base.lastOf(number) + 1), last: head.position }
      }),
    isOfOneAuthor: (a, b) => authors.lane(a).author === authors.lane(b).author,
    closerOf: (place) => {
      if (base.isBelow(place)) return place
      // A run is appended as a whole, so what vouches for a record comes right after it.
      for (let seq = place.seq; seq < place.seq + MAX_RUN_LENGTH; seq += 1) {
        const { parsed, meta } = entryAt(seq)
        if (isSigned(parsed)) return meta
      }
      return place
    },
    heads: (endOf) =>
      authors.lanes().flatMap(({ number, parent, head }) => {
        const last = Math.min(head.position, endOf(number) - 1)
        return last < firstOf(parent) ? [] : [placeAt(number, last)]
      }),
  }
}

function firstOf(parent: Lane['parent']): number {
  return parent === undefined ? 0 : parent.position + 1
}

/** The places of records beyond a cutoff that decide about cutoffs all the same: whoever has them comes to the same view. */
function rootsOf(limits: Limits, view: LimitsView, spans: CutoffSpans): readonly Place[] {
  const records = limits.records()
  const voided = records.filter(({ record: { id } }) => view.faultOf(id) === 'outranked')
  // One of its own author voids nothing for it: whoever has a say has it anyway.
  const hasSeenVoid = ({ record, meta }: BookItem): boolean =>
    record.op.kind === 'epoch' &&
    voided.some((other) => !equalBytes(other.record.author, record.author) && limits.isBefore(other.meta, meta))
  return records
    .filter(({ meta: { lane, position } }) => spanAt(spans, lane, position)?.kind === 'all')
    .filter((item) => view.hasSay(item.record.author, item.record.op) || hasSeenVoid(item))
    .map(({ meta }) => meta)
}

/** One for each author and epoch. */
function joined(news: readonly NewlyExcluded[]): readonly NewlyExcluded[] {
  const all = new Map<string, NewlyExcluded>()
  for (const one of news) {
    const key = `${idKey(one.author)} ${one.epoch === undefined ? '' : idKey(one.epoch)}`
    all.set(key, { ...one, count: one.count + (all.get(key)?.count ?? 0) })
  }
  return [...all.values()]
}

interface Listing {
  readonly cuts: Cuts
  readonly endOf: (lane: number) => number
  readonly limit: number
  readonly after?: Pick<Place, 'lane' | 'position'>
}

function listBeyond(
  ports: Ports,
  { cuts, endOf, limit, after = { lane: -1, position: -1 } }: Listing,
): readonly BeyondRecord[] {
  const listed: BeyondRecord[] = []
  for (const [lane, spans] of [...cuts.spans].sort(([a], [b]) => a - b)) {
    if (lane < after.lane) continue
    const { position: head } = ports.laneAt(lane).head
    const from = lane === after.lane ? after.position + 1 : 0
    for (const { first, last, kind, epoch } of spans) {
      if (kind !== 'all') continue
      for (
        let position = Math.max(first, from, ports.firstKept(lane));
        position <= Math.min(last, head) && listed.length < limit;
        position += 1
      ) {
        listed.push({ entry: ports.entryOf(lane, position), epoch, isLink: position < endOf(lane) })
      }
    }
  }
  return listed
}
