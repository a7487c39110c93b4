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
  isGenesis,
  type OpKind,
  type PublicKey,
  readGenesis,
  ZERO_HASH,
} from '@lattice/model'
import { addInto } from '@lattice/sync'
import type { LogEntry } from './log-entry.ts'
import { isQuiet } from './quiet-spans.ts'
import { createSeenIds, type SeenIds, type SeenPlace } from './seen-ids.ts'
import type { RecordProblem } from './verify-types.ts'

export interface RecordPlacesOptions {
  /** Whose log it is. */
  readonly witnessKey: PublicKey
  /** Whether a record is no part of what is reconciled: what it cites may be cited by nothing else. */
  readonly isExcluded: (place: Pick<SeenPlace, 'lane' | 'position'>) => boolean
  /** Told of each good record's place and those of its causes, while nothing before it is missing. */
  readonly onPlaced?: (place: SeenPlace, causes: readonly SeenPlace[]) => void
}

export interface MadeOfRecords {
  readonly seen: SeenIds
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
  const seen = createSeenIds()
  const fingerprint = new Uint8Array(ZERO_HASH.length)
  const frontier = new Set<number>()
  const authors: PublicKey[] = []
  const authorNumbers = new Map<IdKey, number>()
  const lanes: CheckedLane[] = []
  const kinds: Kinds = { quiet: [], deciding: [] }
  const times: Times = { highestWall: 0, latestMs: 0, latestOwn: HLC_ZERO }
  let causeCount = 0
  let storeType: string | undefined

  function placeOf(entry: LogEntry, report: ReportPlace | undefined): SeenPlace | undefined {
    const { intention } = entry.parsed
    const { seq } = entry.meta
    const { timestamp } = intention
    const known = authorNumbers.get(idKey(intention.author))
    const author = known ?? authors.length
    if (isGenesis(intention)) return { seq, author, lane: 0, position: 0, generation: 0, timestamp }
    const parent = seen.find(intention.storePrev)
    const causes = [parent, ...intention.causalDeps.map((dep) => seen.find(dep))]
    causeCount += causes.length
    const generation = followCauses({ causes, timestamp }, report)
    if (generation === undefined || parent === undefined) return undefined
    const isOwn = parent.author === author
    const isForeign = !isOwn && (parent.seq !== 1 || known !== undefined)
    if (isForeign) report?.('store_prev', "its store_prev is not its author's")
    const goesOn = isOwn && lanes[parent.lane]?.head.seq === parent.seq
    const lane = goesOn ? parent.lane : lanes.length
    const place = { seq, author, lane, position: parent.position + 1, generation: generation + 1, timestamp }
    if (!options.isExcluded(place)) cite(frontier, causes)
    return place
  }

  function enter({ parsed, meta, witnessedMs }: LogEntry, place: SeenPlace | undefined, isComplete: boolean): void {
    if (!authorNumbers.has(idKey(parsed.intention.author))) {
      authorNumbers.set(idKey(parsed.intention.author), authors.length)
      authors.push(parsed.intention.author)
    }
    addInto(fingerprint, parsed.id)
    times.latestMs = Math.max(times.latestMs, witnessedMs)
    noteTimes(times, options.witnessKey, parsed.intention)
    storeType ??= storeTypeOf(parsed)
    if (place === undefined || !options.isExcluded(place)) frontier.add(meta.seq)
    // After a gap the stored place is as good as any: what needs it is not judged.
    seen.add(parsed.id, place ?? { ...meta })
    if (place === undefined) return
    noteKind(kinds, place, parsed.op.kind)
    const causes = isComplete ? causesOf(parsed.intention).flatMap((id) => seen.find(id) ?? []) : []
    if (isComplete) options.onPlaced?.(place, causes)
    const parent = lanes[place.lane] === undefined ? seen.find(parsed.intention.storePrev) : lanes[place.lane]?.parent
    lanes[place.lane] = { author: place.author, parent, head: place }
  }

  return {
    seen,
    placeOf,
    enter,
    made: () => ({
      ...times,
      seen,
      causes: causeCount,
      fingerprint,
      storeType,
      frontier,
      authors,
      lanes,
      ...madeOfKinds(kinds),
    }),
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
