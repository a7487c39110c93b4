/**
 * The rules that every record of a log keeps, checked record by record in the order of the log.
 *
 * Ids, chain, signatures, causes and places are made anew from the bytes alone and compared. Once a record is not there,
 * what depends on it is not judged: a good record after a gap stays good.
 *
 * @module
 */
import {
  causesOf,
  compareHlc,
  type Crypto,
  equalBytes,
  type Hash,
  type Hlc,
  HLC_ZERO,
  type IdKey,
  idKey,
  type Intention,
  isGenesis,
  isSigned,
  MAX_RUN_LENGTH,
  type OpKind,
  type PublicKey,
  readGenesis,
  type StoreId,
  verifyParsed,
  verifyTagged,
  ZERO_HASH,
} from '@lattice/model'
import { addInto } from '@lattice/sync'
import { isQuiet } from './quiet-spans.ts'
import { contentOf, type LogEntry } from './log-entry.ts'
import type { ScannedRecord } from './record-scan.ts'
import { createSeenIds, type SeenIds, type SeenPlace } from './seen-ids.ts'
import { isRecordProblem, type VerifyProblem } from './verify-types.ts'

export interface RecordCheckOptions {
  readonly crypto: Crypto
  readonly storeId: StoreId
  /** Whose witness signatures the log carries. */
  readonly witnessKey: PublicKey
  /** The last record, whose witness signature vouches for the whole chain. */
  readonly lastSeq: number
  /** Every how manieth signature is verified; 1 for all. */
  readonly stride: number
  /** Told of each good record's place and those of its causes, while nothing before it is missing. */
  readonly onPlaced?: (place: SeenPlace, causes: readonly SeenPlace[]) => void
}

/** What the records make, as far as they were taken in. */
export interface CheckedRecords {
  readonly seen: SeenIds
  readonly read: number
  /** Records without a problem of their own, and how many of them came after the first bad one. */
  readonly goodBefore: number
  readonly goodAfter: number
  readonly causes: number
  readonly intentionSignatures: { readonly checked: number; readonly total: number }
  readonly witnessSignatures: { readonly checked: number; readonly total: number }
  /** Sum of all ids mod 2^256. */
  readonly fingerprint: Uint8Array
  readonly chainHash: Hash
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
  readonly quiet: readonly (QuietSpan & { readonly lane: number })[]
  /** False once a record was not there: what follows from all of them is unknown then. */
  readonly isComplete: boolean
}

/** Positions of a lane that call for no ack, and how many of the lane come before. */
export interface QuietSpan {
  readonly first: number
  last: number
  readonly before: number
}

/** A branch of an author's chain. */
export interface CheckedLane {
  readonly author: number
  /** Undefined for the genesis' own. */
  readonly parent: SeenPlace | undefined
  readonly head: SeenPlace
}

export interface RecordChecker {
  /** Takes in the record of the next seq; answers what is wrong with it. */
  readonly take: (scanned: ScannedRecord) => readonly VerifyProblem[]
  /** After the last record. */
  readonly end: () => readonly VerifyProblem[]
  readonly result: () => CheckedRecords
}

interface Walk {
  read: number
  causes: number
  isComplete: boolean
  goodBefore: number
  goodAfter: number
  isBadFound: boolean
  /** What the next record may link to: one hash, two where the last link was wrong, none after a gap. */
  links: readonly Hash[]
  chainHash: Hash
  storeType: string | undefined
  highestWall: number
  latestMs: number
  latestOwn: Hlc
  /** Unsigned so far. */
  run: { readonly last: LogEntry; readonly length: number } | undefined
  readonly intentions: { checked: number; total: number }
  readonly witnesses: { checked: number; total: number }
}

export function createRecordChecker(options: RecordCheckOptions): RecordChecker {
  const seen = createSeenIds()
  const fingerprint = new Uint8Array(ZERO_HASH.length)
  const frontier = new Set<number>()
  const authors: PublicKey[] = []
  const authorNumbers = new Map<IdKey, number>()
  const lanes: CheckedLane[] = []
  const quiet: QuietSpan[][] = []
  const walk: Walk = {
    read: 0,
    causes: 0,
    isComplete: true,
    goodBefore: 0,
    goodAfter: 0,
    isBadFound: false,
    links: [ZERO_HASH],
    chainHash: ZERO_HASH,
    storeType: undefined,
    highestWall: 0,
    latestMs: 0,
    latestOwn: HLC_ZERO,
    run: undefined,
    intentions: { checked: 0, total: 0 },
    witnesses: { checked: 0, total: 0 },
  }

  function count(problems: readonly VerifyProblem[]): readonly VerifyProblem[] {
    if (problems.length > 0) walk.isBadFound = true
    else if (walk.isBadFound) walk.goodAfter += 1
    else walk.goodBefore += 1
    return problems
  }

  /** The place that an intention has by its causes; undefined where one of them is unknown. */
  function placeOf(entry: LogEntry, report: Report): SeenPlace | undefined {
    const { intention } = entry.parsed
    const { seq } = entry.meta
    const { timestamp } = intention
    const known = authorNumbers.get(idKey(intention.author))
    const author = known ?? authors.length
    if (isGenesis(intention)) {
      return { seq, author, lane: 0, position: 0, generation: 0, timestamp }
    }
    const parent = seen.find(intention.storePrev)
    const causes = [parent, ...intention.causalDeps.map((dep) => seen.find(dep))]
    walk.causes += causes.length
    let generation = 0
    for (const cause of causes) {
      if (cause === undefined) {
        if (walk.isComplete) report('cause_missing', 'one of its causes is not before it')
        return undefined
      }
      generation = Math.max(generation, cause.generation)
      frontier.delete(cause.seq)
      if (compareHlc(timestamp, cause.timestamp) <= 0) report('timestamp', 'it is not later than one of its causes')
    }
    if (parent === undefined) return undefined
    const isOwn = parent.author === author
    if (!isOwn && (parent.seq !== 1 || known !== undefined)) report('store_prev', "its store_prev is not its author's")
    const goesOn = isOwn && lanes[parent.lane]?.head.seq === parent.seq
    const lane = goesOn ? parent.lane : lanes.length
    return { seq, author, lane, position: parent.position + 1, generation: generation + 1, timestamp }
  }

  function enter({ parsed, meta, witnessedMs }: LogEntry, place: SeenPlace | undefined): void {
    if (!authorNumbers.has(idKey(parsed.intention.author))) {
      authorNumbers.set(idKey(parsed.intention.author), authors.length)
      authors.push(parsed.intention.author)
    }
    addInto(fingerprint, parsed.id)
    walk.latestMs = Math.max(walk.latestMs, witnessedMs)
    noteTimes(walk, options.witnessKey, parsed.intention)
    frontier.add(meta.seq)
    // After a gap the stored place is as good as any: what needs it is not judged.
    const entered = place ?? { ...meta }
    seen.add(parsed.id, entered)
    if (place === undefined) return
    noteQuiet(quiet, place, parsed.op.kind)
    if (walk.isComplete) options.onPlaced?.(place, causesOf(parsed.intention).flatMap((id) => seen.find(id) ?? []))
    const parent = lanes[place.lane] === undefined ? seen.find(parsed.intention.storePrev) : lanes[place.lane]?.parent
    lanes[place.lane] = { author: place.author, parent, head: place }
  }

  function take(scanned: ScannedRecord): readonly VerifyProblem[] {
    if ('bad' in scanned) {
      const { seq, kind, what } = scanned.bad
      ;[walk.isComplete, walk.links, walk.run] = [false, [], undefined]
      return count([{ kind, seq, id: undefined, what }])
    }
    const { entry } = scanned
    const problems: VerifyProblem[] = []
    const report: Report = (kind, what, at = entry) =>
      problems.push({ kind, seq: at.meta.seq, id: at.parsed.id, what }) > 0
    walk.read += 1
    const genesis = readGenesis(entry.parsed)
    if (genesis.ok) walk.storeType ??= genesis.value.storeType
    const isFirst = genesis.ok && equalBytes(entry.parsed.id, options.storeId)
    if ((entry.meta.seq === 1) !== isFirst) report('genesis', 'it is not the genesis of the store')
    if (seen.find(entry.parsed.id) !== undefined) {
      report('duplicate', 'an earlier record witnesses the same intention')
      return count(problems)
    }
    const isLinked = checkLink(options, walk, entry)
    if (!isLinked) report('chain', 'it is not what the witness chain says')
    checkRun({ options, walk, report }, entry, !isLinked)
    checkWitness({ options, walk, report }, entry)
    const place = placeOf(entry, report)
    if (walk.isComplete && place !== undefined && !isSamePlace(entry, place)) {
      report('place', 'its recorded place is not the one its causes give it')
    }
    enter(entry, place)
    // What is not as it was written may be what later ones cite.
    if (problems.some(isRecordProblem)) walk.isComplete = false
    return count(problems)
  }

  return {
    take,
    end: () => {
      const last = walk.run?.last
      if (last === undefined) return []
      return [{ kind: 'run_open', seq: last.meta.seq, id: last.parsed.id, what: NOTHING_VOUCHES }]
    },
    result: () => ({
      seen,
      read: walk.read,
      goodBefore: walk.goodBefore,
      goodAfter: walk.goodAfter,
      causes: walk.causes,
      intentionSignatures: walk.intentions,
      witnessSignatures: walk.witnesses,
      fingerprint,
      chainHash: walk.chainHash,
      storeType: walk.storeType,
      highestWall: walk.highestWall,
      latestMs: walk.latestMs,
      latestOwn: walk.latestOwn,
      frontier,
      authors,
      lanes,
      quiet: quiet.flatMap((spans, lane) => spans.map((span) => ({ lane, ...span }))),
      isComplete: walk.isComplete,
    }),
  }
}

const NOTHING_VOUCHES = 'no signature that vouches for it follows'

type Report = (kind: VerifyProblem['kind'], what: string, at?: LogEntry) => boolean

interface Checking {
  readonly options: RecordCheckOptions
  readonly walk: Walk
  readonly report: Report
}

function noteQuiet(quiet: QuietSpan[][], { lane, position }: SeenPlace, kind: OpKind): void {
  if (!isQuiet(kind)) return
  const spans = (quiet[lane] ??= [])
  const last = spans.at(-1)
  if (last?.last === position - 1) last.last = position
  else spans.push({ first: position, last: position, before: last === undefined ? 0 : last.before + last.last - last.first + 1 })
}

function noteTimes(walk: Walk, own: PublicKey, { author, timestamp }: Intention): void {
  walk.highestWall = Math.max(walk.highestWall, timestamp.wall)
  if (equalBytes(author, own) && compareHlc(timestamp, walk.latestOwn) > 0) walk.latestOwn = timestamp
}

/** Checks the link to the record before. After a wrong one, either side of it may be what was damaged. */
function checkLink({ crypto, storeId }: RecordCheckOptions, walk: Walk, entry: LogEntry): boolean {
  const hashes = walk.links.map((prev) => crypto.blake3(contentOf(storeId, prev, entry)))
  const isLinked = walk.links.length === 0 || hashes.some((hash) => equalBytes(hash, entry.chainHash))
  walk.links = isLinked ? [entry.chainHash] : [...hashes.slice(0, 1), entry.chainHash]
  walk.chainHash = entry.chainHash
  return isLinked
}

/** A run is appended as a whole: what closes an unsigned intention comes right after it. */
function checkRun({ options, walk, report }: Checking, entry: LogEntry, isDoubtful: boolean): void {
  const { parsed } = entry
  const { run } = walk
  if (run !== undefined) {
    const isNext =
      equalBytes(parsed.intention.storePrev, run.last.parsed.id) &&
      equalBytes(parsed.intention.author, run.last.parsed.intention.author)
    if (!isNext || run.length >= MAX_RUN_LENGTH) {
      report('run_open', NOTHING_VOUCHES, run.last)
      walk.run = undefined
    }
  }
  const length = (walk.run?.length ?? 0) + 1
  if (!isSigned(parsed)) {
    walk.run = { last: entry, length }
    return
  }
  walk.run = undefined
  if (isDoubtful || walk.intentions.total % options.stride === 0) {
    walk.intentions.checked += 1
    if (!verifyParsed(options.crypto, parsed)) report('intention_signature', "its author's signature fails")
  }
  walk.intentions.total += 1
}

function checkWitness({ options, walk, report }: Checking, { meta, chainHash, witnessSignature }: LogEntry): void {
  if (witnessSignature.length === 0) {
    if (meta.seq === options.lastSeq) report('witness_signature', 'the last record is not signed')
    return
  }
  if (meta.seq === options.lastSeq || walk.witnesses.total % options.stride === 0) {
    walk.witnesses.checked += 1
    const signed = { tag: 'lattice/witness/v1', hash: chainHash, signature: witnessSignature } as const
    if (!verifyTagged(options.crypto, options.witnessKey, signed)) {
      report('witness_signature', "this node's signature of the record fails")
    }
  }
  walk.witnesses.total += 1
}

function isSamePlace({ meta }: LogEntry, place: SeenPlace): boolean {
  const isSameLane = meta.author === place.author && meta.lane === place.lane
  return isSameLane && meta.position === place.position && meta.generation === place.generation
}

