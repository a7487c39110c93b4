/**
 * The rules that every record of a log keeps, checked record by record in the order of the log.
 *
 * Ids, chain, signatures, causes and places are made anew from the bytes alone and compared. Once a record is not there,
 * what depends on it is not judged: a good record after a gap stays good.
 *
 * @module
 */
import {
  type Crypto,
  equalBytes,
  type Hash,
  isSigned,
  MAX_RUN_LENGTH,
  readGenesis,
  toHash,
  type StoreId,
  verifyParsed,
  verifyTagged,
  ZERO_HASH,
} from '@lattice/model'
import type { Anchor } from './log-base.ts'
import { contentOf, type LogEntry } from './log-entry.ts'
import { createRecordPlaces, type MadeOfRecords, type RecordPlacesOptions } from './record-places.ts'
import type { ScannedRecord } from './record-scan.ts'
import type { SeenPlace } from './seen-ids.ts'
import { isRecordProblem, type VerifyProblem } from './verify-types.ts'

export interface RecordCheckOptions extends RecordPlacesOptions {
  readonly crypto: Crypto
  readonly storeId: StoreId
  /** The last record, whose witness signature vouches for the whole chain. */
  readonly lastSeq: number
  /** Every how manieth signature is verified; 1 for all. */
  readonly stride: number
  /** Of a pruned log, the chain hash of the record before the base. */
  readonly prevHash?: Uint8Array
}

/** What the records make, as far as they were taken in. */
export interface CheckedRecords extends MadeOfRecords {
  readonly read: number
  /** Records without a problem of their own, and how many of them came after the first bad one. */
  readonly goodBefore: number
  readonly goodAfter: number
  readonly intentionSignatures: { readonly checked: number; readonly total: number }
  readonly witnessSignatures: { readonly checked: number; readonly total: number }
  readonly chainHash: Hash
  /** False once a record was not there: what follows from all of them is unknown then. */
  readonly isComplete: boolean
}

export interface RecordChecker {
  /** Takes in something that a prune took. Before all records that come after it. */
  readonly takeGone: (anchor: Anchor) => void
  /** Takes in the record of the next seq; answers what is wrong with it. */
  readonly take: (scanned: ScannedRecord) => readonly VerifyProblem[]
  /** After the last record. */
  readonly end: () => readonly VerifyProblem[]
  readonly result: () => CheckedRecords
}

interface Walk {
  read: number
  isComplete: boolean
  goodBefore: number
  goodAfter: number
  isBadFound: boolean
  /** What the next record may link to: one hash, two where the last link was wrong, none after a gap. */
  links: readonly Hash[]
  chainHash: Hash
  /** Unsigned so far. */
  run: { readonly last: LogEntry; readonly length: number } | undefined
  readonly intentions: { checked: number; total: number }
  readonly witnesses: { checked: number; total: number }
}

export function createRecordChecker(options: RecordCheckOptions): RecordChecker {
  const places = createRecordPlaces(options)
  const walk = beginWalk()

  function count(problems: readonly VerifyProblem[]): readonly VerifyProblem[] {
    if (problems.length > 0) walk.isBadFound = true
    else if (walk.isBadFound) walk.goodAfter += 1
    else walk.goodBefore += 1
    return problems
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
    beginLinks(options, walk, entry)
    const isFirst = equalBytes(entry.parsed.id, options.storeId) && readGenesis(entry.parsed).ok
    if ((entry.meta.seq === 1) !== isFirst) report('genesis', 'it is not the genesis of the store')
    if (places.seen.find(entry.parsed.id) !== undefined) {
      report('duplicate', 'an earlier record witnesses the same intention')
      return count(problems)
    }
    const isLinked = checkLink(options, walk, entry)
    if (!isLinked) report('chain', 'it is not what the witness chain says')
    checkRun({ options, walk, report }, entry, !isLinked)
    checkWitness({ options, walk, report }, entry)
    const kept = keptPlace(options, entry)
    if (kept !== undefined) {
      if (!isSamePlace(entry, kept)) report('place', 'its recorded place is not the one that is vouched for')
      places.enterKept(entry, options.base?.kindOf(entry.parsed.id, entry.meta) === 'set')
      return count(problems)
    }
    const place = places.placeOf(entry, walk.isComplete ? report : undefined)
    if (walk.isComplete && place !== undefined && !isSamePlace(entry, place)) {
      report('place', 'its recorded place is not the one its causes give it')
    }
    places.enter(entry, place, walk.isComplete)
    // What is not as it was written may be what later ones cite.
    if (problems.some(isRecordProblem)) walk.isComplete = false
    return count(problems)
  }

  return {
    take,
    takeGone: ({ id, meta }) => places.enterGone(id, { ...meta }),
    end: () => {
      const last = walk.run?.last
      if (last === undefined) return []
      return [{ kind: 'run_open', seq: last.meta.seq, id: last.parsed.id, what: NOTHING_VOUCHES }]
    },
    result: () => ({
      ...places.made(),
      read: walk.read,
      goodBefore: walk.goodBefore,
      goodAfter: walk.goodAfter,
      intentionSignatures: walk.intentions,
      witnessSignatures: walk.witnesses,
      chainHash: walk.chainHash,
      isComplete: walk.isComplete,
    }),
  }
}

function beginWalk(): Walk {
  return {
    read: 0,
    isComplete: true,
    goodBefore: 0,
    goodAfter: 0,
    isBadFound: false,
    links: [ZERO_HASH],
    chainHash: ZERO_HASH,
    run: undefined,
    intentions: { checked: 0, total: 0 },
    witnesses: { checked: 0, total: 0 },
  }
}

const NOTHING_VOUCHES = 'no signature that vouches for it follows'

type Report = (kind: VerifyProblem['kind'], what: string, at?: LogEntry) => boolean

interface Checking {
  readonly options: RecordCheckOptions
  readonly walk: Walk
  readonly report: Report
}

/** Before the base the chain has gaps; from there on it is whole. */
function beginLinks({ base, prevHash }: RecordCheckOptions, walk: Walk, { meta: { seq } }: LogEntry): void {
  if (base === undefined || seq > base.fromSeq) return
  walk.links = seq === base.fromSeq && prevHash !== undefined ? [toHash(prevHash)] : []
}

/** The place of a record that is kept below the base; undefined for any other. */
function keptPlace({ base }: RecordCheckOptions, { parsed: { id }, meta }: LogEntry): SeenPlace | undefined {
  if (base === undefined || meta.seq >= base.fromSeq) return undefined
  const anchor = base.base.find(id)
  return anchor?.stays === true ? { ...anchor.meta } : undefined
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
