/**
 * Looks through a whole store, in slices that leave the event loop to others, and says what is wrong where.
 *
 * Records first, in the order of the log, by nothing but themselves; then everything derived is compared with them. It
 * only reads.
 *
 * @module
 */
import type { PublicKey, StoreId } from '@lattice/model'
import type { Database } from '@lattice/storage'
import type { PersistentRangeIndex } from '@lattice/sync'
import type { EarlyRecord } from './base-signature.ts'
import { type BaseSeed, readBaseSeed } from './check-base.ts'
import { asProblems, checkFloating, checkForks, checkSchema } from './check-others.ts'
import { checkEpochBook } from './check-epoch-book.ts'
import { createIdIndexCheck } from './check-id-index.ts'
import { createReachFollower } from './check-reach.ts'
import { createRangeCheck } from './check-range.ts'
import { type CheckedRecords, createRecordChecker, type RecordChecker } from './check-records.ts'
import type { ExcludedRow } from './excluded-rows.ts'
import type { ExcludedSet } from './excluded-set.ts'
import {
  checkClaims,
  checkpointSeq,
  claimedQuietBelow,
  claimsExcluded,
  type LogClaims,
  readClaims,
} from './log-claims.ts'
import { createRecordScan, type RecordScan } from './record-scan.ts'
import type { VerifiableIndex, VerifiableIndexFactory } from './verifiable-index.ts'
import {
  isRecordProblem,
  type VerifyDeps,
  type VerifyOptions,
  type VerifyProblem,
  type VerifyProgress,
  type VerifyReport,
} from './verify-types.ts'

/** A log to look through, and what else the store consists of. */
export interface VerifyTarget {
  readonly database: Database
  readonly storeId: StoreId
  readonly witnessKey: PublicKey
  /** The last record of a log in use; of others it is found out. */
  readonly headSeq?: number
  /** Of a log in use. */
  readonly range?: PersistentRangeIndex
  /** What of it is excluded. */
  readonly excluded?: Pick<ExcludedSet, 'rows' | 'derive'>
  /** A record that was applied to state, and so was in the log once. */
  readonly appliedSeq?: number
  /** Throws when the log is no longer there to be read. */
  readonly assertReadable?: () => void
  /** Looks at what is not the log; yields as indexes do. */
  readonly others: readonly VerifyOther[]
  /** What this way of looking leaves out. */
  readonly unchecked: readonly string[]
}

/** Something beside the log, looked at when the records are all there. */
export interface VerifyOther {
  readonly part: VerifyProgress['part']
  readonly kind: VerifyProblem['kind']
  /** Answers what is wrong. Called with the slicer, so that it can let others in between. */
  readonly run: (slicer: Slicer) => Promise<readonly string[]>
}

/** Every index that is checked against the records, in this order. */
export const VERIFIABLE_INDEXES: readonly VerifiableIndexFactory[] = [createIdIndexCheck, createRangeCheck]

/** Signatures verified without `full`: about half a second of work, spread evenly over the log. */
export const SAMPLED_SIGNATURES = 10_000
/** Problems kept: the first show what happened, the count how much. */
export const PROBLEMS_MAX = 32
/** How long a slice holds the event loop. */
const SLICE_MS = 4
/** Records read at once; the smallest part of a slice. */
const RECORDS_PER_READ = 32
/** Records between two reports of progress. */
const RECORDS_PER_REPORT = 1024

export interface Slicer {
  /** Lets others in where the slice is over. Rejects once aborted. */
  readonly breathe: () => Promise<void>
  readonly report: (progress: VerifyProgress) => void
}

interface Findings {
  readonly problems: VerifyProblem[]
  count: number
  isRecordBad: boolean
  firstBad: VerifyProblem | undefined
  indexEntries: number
}

/** Looks through the store. Rejects with `signal.reason`, or with what `assertReadable` throws; damage is an answer. */
export async function verifyTarget(
  target: VerifyTarget,
  deps: VerifyDeps,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { database, storeId } = target
  const slicer = createSlicer(target, deps, options)
  const findings: Findings = { problems: [], count: 0, isRecordBad: false, firstBad: undefined, indexEntries: 0 }
  const claims = readClaims(database)
  const scan = createRecordScan(database, deps.crypto)
  const last = lastRecord(target, scan, checkpointSeq(claims))
  const found = readBaseSeed({ ...target, crypto: deps.crypto })
  const base = typeof found === 'string' ? undefined : found
  // What is gone cannot be made again, so damage to what is known of it is damage to records.
  if (typeof found === 'string') note(findings, { kind: 'unreadable', seq: undefined, id: undefined, what: found })
  const reach = createReachFollower(database, base?.base)
  const checker = createRecordChecker({
    crypto: deps.crypto,
    storeId,
    witnessKey: target.witnessKey,
    lastSeq: last,
    isExcluded: claimsExcluded(claims),
    onPlaced: (place, causes) => {
      if (place.seq <= checkpointSeq(claims)) reach.follow(place, causes)
    },
    stride: options.full === true ? 1 : Math.ceil(last / SAMPLED_SIGNATURES) || 1,
    ...(base && { prevHash: base.prevHash, base: { ...base, quiet: claimedQuietBelow(claims, base.base) } }),
  })
  const records = checker.result
  const excluded = (): readonly ExcludedRow[] =>
    target.excluded?.rows() ?? (typeof claims.excluded === 'string' ? [] : claims.excluded)
  const atCheckpoint = (): void => {
    if (!records().isComplete) return
    const { entries, problems } = checkClaims(claims, records(), target)
    findings.indexEntries += entries
    for (const problem of problems) note(findings, problem)
  }
  if (checkpointSeq(claims) === 0) atCheckpoint()
  if (base !== undefined) await verifyEarly(base, { scan, checker, slicer, findings })
  for (let seq = base?.fromSeq ?? 1; seq <= last; seq += RECORDS_PER_READ) {
    await slicer.breathe()
    for (const scanned of scan.read(seq, Math.min(last, seq + RECORDS_PER_READ - 1))) {
      for (const problem of checker.take(scanned)) note(findings, problem)
      if (scanned.seq === checkpointSeq(claims)) atCheckpoint()
    }
    if (seq % RECORDS_PER_REPORT === 1) slicer.report({ part: 'records', done: seq - 1, total: last })
  }
  for (const problem of checker.end()) note(findings, problem)
  slicer.report({ part: 'records', done: last, total: last })
  if (records().isComplete) {
    const indexes = VERIFIABLE_INDEXES.map((create) =>
      create({ database, crypto: deps.crypto, range: target.range, base, excluded }),
    )
    for (const index of indexes)
      await checkIndex(index, { slicer, findings, records: records(), upto: checkpointSeq(claims) })
  }
  for (const problem of restProblems({ target, deps, claims, records: records(), reach })) note(findings, problem)
  for (const other of target.others) {
    for (const what of await other.run(slicer))
      note(findings, { kind: other.kind, seq: undefined, id: undefined, what })
  }
  return reportOf({ target, options, findings, records: records(), last, claims })
}

interface EarlyCheck {
  readonly scan: RecordScan
  readonly checker: RecordChecker
  readonly slicer: Slicer
  readonly findings: Findings
}

/** Records before the base, and what is known of those that are gone, in the order of the log. */
async function verifyEarly(base: BaseSeed, { scan, checker, slicer, findings }: EarlyCheck): Promise<void> {
  const early: EarlyRecord[] = []
  const anchors = base.anchors()
  let anchor = anchors.next()
  const takeGone = (before: number): void => {
    for (; anchor.done !== true && anchor.value.meta.seq < before; anchor = anchors.next()) {
      if (!anchor.value.stays) checker.takeGone(anchor.value)
      else if (early.at(-1)?.seq !== anchor.value.meta.seq) {
        const { seq } = anchor.value.meta
        note(findings, { kind: 'missing', seq, id: anchor.value.id, what: 'there is no such record' })
      }
    }
  }
  for (let seq = 1; seq < base.fromSeq; seq += RECORDS_PER_READ) {
    await slicer.breathe()
    for (const scanned of scan.readThere(seq, Math.min(base.fromSeq - 1, seq + RECORDS_PER_READ - 1))) {
      takeGone(scanned.seq)
      if ('entry' in scanned) {
        const { parsed, meta } = scanned.entry
        const kind = base.kindOf(parsed.id, meta)
        // It may be on its way to be deleted; no place of it says so.
        if (kind === 'gone' && base.isDeleting) continue
        if (kind === 'gone') note(findings, { kind: 'place', seq: meta.seq, id: parsed.id, what: 'it is pruned' })
        early.push({ seq: meta.seq, id: parsed.id })
      }
      for (const problem of checker.take(scanned)) note(findings, problem)
      if (anchor.done !== true && anchor.value.meta.seq === scanned.seq) anchor = anchors.next()
    }
  }
  takeGone(base.fromSeq)
  for (const what of base.check(early)) {
    note(findings, { kind: 'witness_signature', seq: base.fromSeq, id: undefined, what })
  }
}

/** What is wrong with what is compared when all records were read. */
function restProblems({ target, deps, claims, records, reach }: RestCheck): readonly VerifyProblem[] {
  const { database } = target
  return [
    ...asProblems('floating', 'floating', checkFloating(database, deps.crypto)),
    ...asProblems('file', 'log.db', checkSchema(database)),
    ...(records.isComplete ? asProblems('index', 'reach', reach.end(target.headSeq === undefined)) : []),
    ...(records.isComplete ? asProblems('index', 'epochs', checkEpochBook(target, deps, { claims, records })) : []),
    ...asProblems('index', 'excluded', checkExcluded(target)),
    ...(records.isComplete ? asProblems('index', 'forks', checkForks(database, records)) : []),
  ]
}

interface RestCheck {
  readonly target: VerifyTarget
  readonly deps: VerifyDeps
  readonly claims: LogClaims
  readonly records: CheckedRecords
  readonly reach: ReturnType<typeof createReachFollower>
}

/** What a log in use excludes is what its records come to. */
function checkExcluded({ excluded }: VerifyTarget): readonly string[] {
  if (excluded === undefined) return []
  const [kept, made] = [excluded.rows(), excluded.derive()]
  const isSame = (row: ExcludedRow, index: number): boolean => {
    const other = made[index]
    return other?.lane === row.lane && other.first === row.first && other.last === row.last
  }
  return kept.length === made.length && kept.every(isSame) ? [] : ['it is not what the records come to']
}

/** The last record there is, or was: what state has seen or the log remembers cannot be gone. */
function lastRecord({ headSeq, appliedSeq = 0 }: VerifyTarget, scan: RecordScan, remembered: number): number {
  return headSeq ?? Math.max(scan.lastSeq() ?? 0, remembered, appliedSeq)
}

interface IndexCheck {
  readonly slicer: Slicer
  readonly findings: Findings
  readonly records: CheckedRecords
  readonly upto: number
}

async function checkIndex(index: VerifiableIndex, { slicer, findings, records, upto }: IndexCheck): Promise<void> {
  const steps = index.verify(records, upto)
  let done = 0
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) {
      for (const what of step.value) {
        note(findings, { kind: 'index', seq: undefined, id: undefined, what: `${index.name}: ${what}` })
      }
      return
    }
    done += step.value
    findings.indexEntries += step.value
    slicer.report({ part: 'indexes', done, total: Math.max(done, upto) })
    await slicer.breathe()
  }
}

function note(findings: Findings, problem: VerifyProblem): void {
  findings.count += 1
  if (findings.problems.length < PROBLEMS_MAX) findings.problems.push(problem)
  if (!isRecordProblem(problem)) return
  findings.isRecordBad = true
  const { firstBad } = findings
  if (firstBad === undefined || (problem.seq ?? 0) < (firstBad.seq ?? 0)) findings.firstBad = problem
}

interface ReportParts {
  readonly target: VerifyTarget
  readonly options: VerifyOptions
  readonly findings: Findings
  readonly records: CheckedRecords
  readonly last: number
  readonly claims: ReturnType<typeof readClaims>
}

function reportOf({ target, options, findings, records, last, claims }: ReportParts): VerifyReport {
  const { intentionSignatures, witnessSignatures } = records
  const skipped =
    intentionSignatures.total - intentionSignatures.checked + witnessSignatures.total - witnessSignatures.checked
  return {
    outcome: findings.isRecordBad ? 'records' : findings.count > 0 ? 'indexes' : 'sound',
    full: options.full ?? false,
    storeId: target.storeId,
    storeType: typeof claims.meta === 'string' ? undefined : claims.meta.storeType,
    records: { checked: records.read, total: last },
    intentionSignatures,
    witnessSignatures,
    causes: records.causes,
    indexEntries: findings.indexEntries,
    stateRows: 0,
    unchecked: [...(skipped > 0 ? [`${skipped} of the signatures`] : []), ...target.unchecked],
    problems: findings.problems,
    problemCount: findings.count,
    firstBad: findings.firstBad,
    goodBefore: records.goodBefore,
    goodAfter: records.goodAfter,
  }
}

function createSlicer(
  { assertReadable }: VerifyTarget,
  { clock, scheduler }: VerifyDeps,
  options: VerifyOptions,
): Slicer {
  const { signal, onProgress } = options
  let until = clock.monotonicMs() + SLICE_MS
  return {
    breathe: async () => {
      if (clock.monotonicMs() >= until) {
        await new Promise<void>((resolve) => void scheduler.soon(resolve))
        until = clock.monotonicMs() + SLICE_MS
      }
      signal?.throwIfAborted()
      assertReadable?.()
    },
    report: (progress) => onProgress?.(progress),
  }
}
