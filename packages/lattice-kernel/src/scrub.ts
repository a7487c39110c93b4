/**
 * Reads the whole log again and again, a few records at a time, so that damage is found before what it destroyed is needed.
 *
 * A pass takes about a day, whatever the length of the log: longer logs get more records per turn, at most a few dozen. A
 * turn is left out while the store is busy. Where a pass begins follows the time of day, so that a node that is often
 * restarted does not look at the beginning for ever; nothing is written.
 *
 * @module
 */
import { type Cancel, equalBytes, isLatticeError, isSigned, verifyParsed, verifyTagged } from '@lattice/model'
import { LogDamaged } from '@lattice/storage'
import type { Core } from './core.ts'
import { contentOf, type LogEntry } from './log-entry.ts'
import { hashBefore } from './reading.ts'
import type { ScrubOptions, ScrubStatus } from './scrub-options.ts'

export interface Scrub {
  readonly status: () => ScrubStatus
  readonly stop: () => void
}

/** Shortest and longest pause between two turns: a timer that nobody notices, and damage that is found within the day. */
const PAUSE_MIN_MS = 1000
const PAUSE_MAX_MS = 600_000
/** Records per turn: under 2 ms with every one signed, up to 10 for logs of tens of millions. */
const TURN_RECORDS = 16
/** Records of a turn at most: a log so large that these do not reach its end within a pass takes longer, not more. */
const TURN_RECORDS_MAX = 128
/** Turns left out in a row because the store is busy, at most: one that always is must be looked at, too. */
const LEFT_OUT_MAX = 60

/** Looks at the log of `core` until stopped; tells the first damage it meets and ends. */
export function startScrub(
  core: Core,
  { passMs }: ScrubOptions,
  { isBusy, onDamage }: { readonly isBusy: () => boolean; readonly onDamage: (error: LogDamaged) => void },
): Scrub {
  const { log } = core
  const { scheduler, clock } = core.options
  let next = 1 + Math.floor(log.meta().headSeq * ((clock.wallMs() % passMs) / passMs))
  let leftOut = 0
  let checked = 0
  /** Of the pass under way. */
  let done = 0
  let passEndedMs: number | undefined
  let cancel: Cancel = () => undefined

  function turn(): void {
    if (isBusy() && leftOut < LEFT_OUT_MAX) {
      leftOut += 1
      return arm()
    }
    leftOut = 0
    try {
      const { headSeq } = log.meta()
      const first = log.base.fromSeq()
      if (next > headSeq || next < first) next = first
      note(checkRecords(core, next, recordsPerTurn(headSeq, passMs)), headSeq)
    } catch (error) {
      return onDamage(asDamage(log.path, error))
    }
    arm()
  }

  function note(count: number, headSeq: number): void {
    next += count
    checked += count
    done += count
    if (done < headSeq - log.base.fromSeq() + 1) return
    done = 0
    passEndedMs = clock.wallMs()
  }

  function arm(): void {
    const { headSeq } = log.meta()
    const turns = Math.max(1, headSeq / recordsPerTurn(headSeq, passMs))
    cancel = scheduler.after(Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MIN_MS, passMs / turns)), turn)
  }

  arm()
  return { status: () => ({ checked, passEndedMs }), stop: () => cancel() }
}

function recordsPerTurn(headSeq: number, passMs: number): number {
  return Math.min(TURN_RECORDS_MAX, Math.max(TURN_RECORDS, Math.ceil((headSeq * PAUSE_MIN_MS) / passMs)))
}

/** Checks records from a seq on; answers how many. Throws what is wrong. */
function checkRecords({ log, options }: Core, from: number, limit: number): number {
  const { crypto, signer, storeId } = options
  let prevHash = hashBefore(log, from)
  const count = Math.min(limit, log.meta().headSeq - from + 1)
  const entries = log.reader.from(from, count)
  for (const [index, entry] of entries.entries()) {
    const fail = (problem: string): never => {
      throw new LogDamaged(log.path, { record: `witness ${from + index}`, problem })
    }
    if (entry.meta.seq !== from + index) fail('it is missing')
    if (!equalBytes(crypto.blake3(contentOf(storeId, prevHash, entry)), entry.chainHash)) {
      fail('the witness chain does not link')
    }
    if (isSigned(entry.parsed) && !verifyParsed(crypto, entry.parsed)) fail("its author's signature fails")
    const { witnessSignature: signature, chainHash: hash } = entry
    const isWitnessed =
      signature.length === 0 || verifyTagged(crypto, signer.publicKey, { tag: 'lattice/witness/v1', hash, signature })
    if (!isWitnessed) fail("this node's signature of the record fails")
    checkIndexed(log, entry, fail)
    prevHash = entry.chainHash
  }
  if (entries.length < count)
    throw new LogDamaged(log.path, { record: `witness ${from + entries.length}`, problem: 'it is missing' })
  return count
}

/** An intention whose id leads nowhere would be taken in a second time. */
function checkIndexed(log: Core['log'], { parsed, meta }: LogEntry, fail: (problem: string) => never): void {
  if (log.find(parsed.id)?.seq !== meta.seq) fail('the index of ids does not lead to it')
}

function asDamage(path: string, error: unknown): LogDamaged {
  if (error instanceof LogDamaged) return error
  const problem = isLatticeError(error) || error instanceof Error ? error.message : String(error)
  return new LogDamaged(path, { record: 'a record that was looked at in the background', problem, cause: error })
}
