/**
 * What the records of a log make, one after another: places, authors, lanes, frontier, sums.
 *
 * The same rules as those of the indexes, followed once more from the bytes alone, so that the two can be compared.
 *
 * @module
 */
import {
  causesOf,
  compareHlc,
  equalBytes,
  type Hlc,
  HLC_ZERO,
  type IdKey,
  idKey,
  type Intention,
  type IntentionId,
  isGenesis,
  type OpKind,
  type PublicKey,
  readGenesis,
  ZERO_HASH,
} from '@lattice/model'
import { addInto } from '@lattice/sync'
import type { BaseSeed } from './check-base.ts'
import type { LogEntry } from './log-entry.ts'
import { isQuiet } from './quiet-spans.ts'
import { createSeenIds, type SeenIds, type SeenPlace } from './seen-ids.ts'
import type { RecordProblem } from './verify-types.ts'

export interface RecordPlacesOptions {
  /** Whose log it is. */
  readonly witnessKey: PublicKey
  /** Whether a record is no part of what is reconciled: what it cites may be cited by nothing else. */
  readonly isExcluded: (place: Pick<SeenPlace, 'lane' | 'position'>) => boolean
  /** Of a pruned log, what is known of what is gone. */
  readonly base?: PlacesSeed
  /** Told of each good record's place and those of its causes, while nothing before it is missing. */
  readonly onPlaced?: (place: SeenPlace, causes: readonly SeenPlace[]) => void
}

/** What records of a pruned log follow. */
export interface PlacesSeed extends Pick<BaseSeed, 'fromSeq' | 'authors' | 'base' | 'kindOf'> {
  /** Of each lane, the last span below the base that calls for no ack. */
  readonly quiet: readonly (QuietSpan & { readonly lane: number })[]
}

export interface MadeOfRecords {
  readonly seen: SeenIds
  /** How many of them are in the set that is reconciled, excluded ones included. */
  readonly setSize: number
  readonly causes: number
  /** Sum of all ids mod 2^256. */
  readonly fingerprint: Uint8Array
  readonly storeType: string | undefined
  /** The greatest wall time of an intention, and of this node's witnessing. */
  readonly highestWall: number
  readonly latestMs: number
  /** The greatest timestamp of this node's own. */
  readonly latestOwn: Hlc
  /** Seqs of what no other cites. */
  readonly frontier: ReadonlySet<number>
  /** By number, in the order in which they first wrote. */
  readonly authors: readonly PublicKey[]
  readonly lanes: readonly CheckedLane[]
  /** Of every lane, what calls for no ack. */
  readonly quiet: readonly (Readonly<QuietSpan> & { readonly lane: number })[]
  /** Seqs of what may be in the epoch book. */
  readonly deciding: readonly number[]
}

/** A branch of an author's chain. */
export interface CheckedLane {
  readonly author: number
  /** Undefined for the genesis' own. */
  readonly parent: SeenPlace | undefined
  readonly head: SeenPlace
}

/** Positions of a lane that call for no ack, and how many of the lane come before. */
export interface QuietSpan {
  readonly first: number
  last: number
  readonly before: number
}

export type ReportPlace = (kind: RecordProblem, what: string) => void

export interface RecordPlaces {
  readonly seen: SeenIds
  /** Takes in something that is gone. */
  readonly enterGone: (id: IntentionId, place: SeenPlace) => void
  /** Takes in a record below the base, whose place stands in an anchor. */
  readonly enterKept: (entry: LogEntry, isInSet: boolean) => void
  /**
   * The place that an intention has by its causes, which are taken out of the frontier; undefined where one of them is
   * unknown. Without `report` nothing is judged.
   */
  readonly placeOf: (entry: LogEntry, report: ReportPlace | undefined) => SeenPlace | undefined
  /** Takes the record in at its place, where it has one. */
  readonly enter: (entry: LogEntry, place: SeenPlace | undefined, isComplete: boolean) => void
  readonly made: () => MadeOfRecords
}

interface Times {
  highestWall: number
  latestMs: number
  latestOwn: Hlc
}

export function createRecordPlaces(options: RecordPlacesOptions): RecordPlaces {
  const places = new Places(options)
  return {
    seen: places.seen,
    placeOf: (entry, report) => places.placeOf(entry, report),
    enter: (entry, place, isComplete) => places.enter(entry, place, isComplete),
    enterGone: (id, place) => places.enterGone(id, place),
    enterKept: (entry, isInSet) => places.enterKept(entry, isInSet),
    made: () => places.made(),
  }
}

class Places implements Omit<RecordPlaces, 'seen'> {
  readonly seen: SeenIds = createSeenIds()
  readonly #options: RecordPlacesOptions
  readonly #fingerprint = new Uint8Array(ZERO_HASH.length)
  readonly #frontier = new Set<number>()
  readonly #authors: PublicKey[] = []
  readonly #authorNumbers = new Map<IdKey, number>()
  readonly #lanes: CheckedLane[] = []
  readonly #kinds: Kinds = { quiet: [], deciding: [] }
  readonly #times: Times = { highestWall: 0, latestMs: 0, latestOwn: HLC_ZERO }
  #causeCount = 0
  #setSize = 0
  #storeType: string | undefined

  constructor(options: RecordPlacesOptions) {
    this.#options = options
    const [authors, authorNumbers, lanes] = [this.#authors, this.#authorNumbers, this.#lanes]
    if (options.base !== undefined) seedFrom(options.base, { authors, authorNumbers, lanes, quiet: this.#kinds.quiet })
  }

  placeOf(entry: LogEntry, report: ReportPlace | undefined): SeenPlace | undefined {
    const { intention } = entry.parsed
    const { seq } = entry.meta
    const { timestamp } = intention
    const known = this.#authorNumbers.get(idKey(intention.author))
    // Before the base numbers have gaps, which only what is gone would fill.
    const isEarly = seq < (this.#options.base?.fromSeq ?? 0)
    const author = known ?? (isEarly ? entry.meta.author : this.#authors.length)
    if (isGenesis(intention)) return { seq, author, lane: 0, position: 0, generation: 0, timestamp }
    const parent = this.seen.find(intention.storePrev)
    const causes = [parent, ...intention.causalDeps.map((dep) => this.seen.find(dep))]
    this.#causeCount += causes.length
    const generation = followCauses({ causes, timestamp }, report)
    if (generation === undefined || parent === undefined) return undefined
    const isOwn = parent.author === author
    // Every author's chain begins at the genesis, also each branch of one that forked there.
    if (!isOwn && parent.seq !== 1) report?.('store_prev', "its store_prev is not its author's")
    const goesOn = isOwn && this.#lanes[parent.lane]?.head.seq === parent.seq
    const next = isEarly && this.#lanes[entry.meta.lane] === undefined ? entry.meta.lane : this.#lanes.length
    const lane = goesOn ? parent.lane : next
    const place = { seq, author, lane, position: parent.position + 1, generation: generation + 1, timestamp }
    if (!this.#options.isExcluded(place)) cite(this.#frontier, causes)
    return place
  }

  enter(entry: LogEntry, place: SeenPlace | undefined, isComplete: boolean): void {
    const { parsed, meta } = entry
    if (!this.#authorNumbers.has(idKey(parsed.intention.author))) {
      const number = place?.author ?? this.#authors.length
      this.#authorNumbers.set(idKey(parsed.intention.author), number)
      this.#authors[number] = parsed.intention.author
    }
    this.#count(parsed.id)
    this.#note(entry)
    if (place === undefined || !this.#options.isExcluded(place)) this.#frontier.add(meta.seq)
    // After a gap the stored place is as good as any: what needs it is not judged.
    this.seen.add(parsed.id, place ?? { ...meta })
    if (place === undefined) return
    noteKind(this.#kinds, place, parsed.op.kind)
    const causes = isComplete ? causesOf(parsed.intention).flatMap((id) => this.seen.find(id) ?? []) : []
    if (isComplete) this.#options.onPlaced?.(place, causes)
    const known = this.#lanes[place.lane]
    const parent = known === undefined ? this.seen.find(parsed.intention.storePrev) : known.parent
    this.#lanes[place.lane] = { author: place.author, parent, head: place }
  }

  enterGone(id: IntentionId, place: SeenPlace): void {
    this.seen.add(id, place)
    const lane = this.#lanes[place.lane]
    // Where a lane ends below the base it goes on from.
    if (lane !== undefined && this.#options.base?.base.lastOf(place.lane) === place.position) {
      this.#lanes[place.lane] = { ...lane, head: place }
    }
  }

  enterKept(entry: LogEntry, isInSet: boolean): void {
    const { parsed, meta } = entry
    this.enterGone(parsed.id, { ...meta })
    this.#note(entry)
    if (!isInSet) return
    this.#count(parsed.id)
    this.#kinds.deciding.push(meta.seq)
  }

  made(): MadeOfRecords {
    return {
      ...this.#times,
      seen: this.seen,
      setSize: this.#setSize,
      causes: this.#causeCount,
      fingerprint: this.#fingerprint,
      storeType: this.#storeType,
      frontier: this.#frontier,
      authors: this.#authors,
      lanes: this.#lanes,
      ...madeOfKinds(this.#kinds),
    }
  }

  #count(id: IntentionId): void {
    addInto(this.#fingerprint, id)
    this.#setSize += 1
  }

  #note({ parsed, witnessedMs }: LogEntry): void {
    this.#times.latestMs = Math.max(this.#times.latestMs, witnessedMs)
    noteTimes(this.#times, this.#options.witnessKey, parsed.intention)
    this.#storeType ??= storeTypeOf(parsed)
  }
}

/** What the kinds of operations alone decide. */
interface Kinds {
  /** By lane. */
  readonly quiet: QuietSpan[][]
  readonly deciding: number[]
}

function noteKind({ quiet, deciding }: Kinds, { lane, position, seq }: SeenPlace, kind: OpKind): void {
  // Among these are the entries of the epoch book.
  if (kind === 'genesis' || kind === 'system' || kind === 'epoch' || kind === 'epochAck') deciding.push(seq)
  if (!isQuiet(kind)) return
  const spans = (quiet[lane] ??= [])
  const last = spans.at(-1)
  if (last?.last === position - 1) last.last = position
  else
    spans.push({
      first: position,
      last: position,
      before: last === undefined ? 0 : last.before + last.last - last.first + 1,
    })
}

function noteTimes(times: Times, own: PublicKey, { author, timestamp }: Intention): void {
  times.highestWall = Math.max(times.highestWall, timestamp.wall)
  if (equalBytes(author, own) && compareHlc(timestamp, times.latestOwn) > 0) times.latestOwn = timestamp
}

function storeTypeOf(parsed: LogEntry['parsed']): string | undefined {
  const genesis = readGenesis(parsed)
  return genesis.ok ? genesis.value.storeType : undefined
}

function cite(frontier: Set<number>, causes: readonly (SeenPlace | undefined)[]): void {
  for (const cause of causes) if (cause !== undefined) frontier.delete(cause.seq)
}

interface CauseFold {
  readonly causes: readonly (SeenPlace | undefined)[]
  readonly timestamp: Hlc
}

/** The greatest generation among the causes; undefined where one is unknown. */
function followCauses({ causes, timestamp }: CauseFold, report: ReportPlace | undefined): number | undefined {
  let generation = 0
  for (const cause of causes) {
    if (cause === undefined) {
      report?.('cause_missing', 'one of its causes is not before it')
      return undefined
    }
    generation = Math.max(generation, cause.generation)
    if (compareHlc(timestamp, cause.timestamp) <= 0) report?.('timestamp', 'it is not later than one of its causes')
  }
  return generation
}

function madeOfKinds({ quiet, deciding }: Kinds): Pick<MadeOfRecords, 'quiet' | 'deciding'> {
  return { quiet: quiet.flatMap((spans, lane) => spans.map((span) => ({ lane, ...span }))), deciding }
}

interface Seeded {
  readonly authors: PublicKey[]
  readonly authorNumbers: Map<IdKey, number>
  readonly lanes: CheckedLane[]
  readonly quiet: QuietSpan[][]
}

function seedFrom(seed: PlacesSeed, { authors, authorNumbers, lanes, quiet }: Seeded): void {
  for (const { number, key } of seed.authors) {
    authors[number] = key
    authorNumbers.set(idKey(key), number)
  }
  const nowhere = { seq: 0, generation: 0, timestamp: HLC_ZERO }
  for (const { lane, author, parent_lane: parentLane, parent_position: parentPosition, last } of seed.base.lanes()) {
    const parent =
      parentLane === null || parentPosition === null
        ? undefined
        : { ...nowhere, author, lane: parentLane, position: parentPosition }
    lanes[lane] = { author, parent, head: { ...nowhere, author, lane, position: last } }
  }
  for (const { lane, ...span } of seed.quiet) (quiet[lane] ??= []).push({ ...span })
}
