/**
 * Reads what can be read of a damaged log: every intention that is still whole, in the order of the log, and where this
 * node's own chain ended.
 *
 * Nothing is believed: what is read goes into another log by the one way in, which checks it as if a stranger had sent it.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  compareHlc,
  equalBytes,
  type Hlc,
  type IdKey,
  idKey,
  type IntentionId,
  type PublicKey,
  type SignedIntention,
} from '@lattice/model'
import { type Database, toPlainBytes, walProblem } from '@lattice/storage'
import { type FloatingRow, LOG_FILE } from './log-schema.ts'
import { type BaseSeed, readBaseSeed } from './check-base.ts'
import type { Anchor } from './log-base.ts'
import { checkpointSeq, readClaims } from './log-claims.ts'
import type { LogEntry } from './log-entry.ts'
import { openLogFile } from './open-log.ts'
import { createRecordScan, type ScannedRecord } from './record-scan.ts'
import { isDamage } from './verify-log.ts'
import type { VerifyLogOptions } from './verify-types.ts'

/**
 * Where this node's own chain ended in a damaged log. `known`: at these tips, several where it had forked, none where it
 * had not written. `unknown`: records at the end, or between, that may be its own cannot be read.
 */
export type OwnChainEnd =
  | { readonly kind: 'known'; readonly tips: readonly IntentionId[] }
  | { readonly kind: 'unknown'; readonly tips: readonly IntentionId[] }

export interface SalvagedLog {
  /** Records that could be read, and those that could not. */
  readonly read: number
  readonly lost: number
  readonly own: number
  readonly ownEnd: OwnChainEnd
}

export interface SalvageOptions extends VerifyLogOptions {
  /** Also a record that state has seen, so that a log cut short is known to be. */
  readonly appliedSeq?: number
  /** Takes the next intentions, oldest first; awaited before more are read. */
  readonly onBatch: (batch: readonly SignedIntention[]) => Promise<void>
}

/** Nothing could be read: nothing is known of what there was. */
const NOTHING: SalvagedLog = { read: 0, lost: 0, own: 0, ownEnd: { kind: 'unknown', tips: [] } }
/** Intentions handed on at once: whole runs pass within two. */
const BATCH = 256

/** Reads the log in `directory` around what is damaged. Rejects only as {@link VerifyLogOptions} allows, or as `onBatch` does. */
export async function salvageLog(options: SalvageOptions): Promise<SalvagedLog> {
  if (!existsSync(join(options.directory, LOG_FILE))) return NOTHING
  let database: Database
  try {
    database = openLogFile(options.directory, { readonly: true })
  } catch (error) {
    if (!isDamage(error)) throw error
    return NOTHING
  }
  try {
    return await salvageFrom(database, options)
  } finally {
    database.close()
  }
}

async function salvageFrom(database: Database, options: SalvageOptions): Promise<SalvagedLog> {
  const { crypto, witnessKey, signal, appliedSeq = 0 } = options
  const scan = createRecordScan(database, crypto)
  const found = scan.lastSeq()
  const last = Math.max(found ?? 0, checkpointSeq(readClaims(database)), appliedSeq)
  const own = createOwnChain()
  let read = 0
  let lost = 0
  const seed = readBaseSeed({ ...options, database })
  const base = typeof seed === 'string' ? undefined : seed
  // What this node cannot say of what is gone may have been its own.
  if (typeof seed === 'string') own.gap()
  for (const tip of ownEndsBelow(base, witnessKey)) own.begin(tip)
  // What a prune took is not lost.
  const scanAll = (first: number, until: number): readonly ScannedRecord[] => {
    const gap = (base?.fromSeq ?? 1) - 1
    const early = first > gap ? [] : scan.readThere(first, Math.min(until, gap))
    return until <= gap ? early : [...early, ...scan.read(Math.max(first, gap + 1), until)]
  }
  for (let seq = 1; seq <= last; seq += BATCH) {
    signal?.throwIfAborted()
    const batch: SignedIntention[] = []
    for (const scanned of scanAll(seq, Math.min(last, seq + BATCH - 1))) {
      if ('bad' in scanned) {
        lost += 1
        own.gap()
        continue
      }
      read += 1
      batch.push(scanned.entry.parsed)
      if (equalBytes(scanned.entry.parsed.intention.author, witnessKey)) own.take(scanned.entry)
    }
    if (batch.length > 0) await options.onBatch(batch)
    options.onProgress?.({ part: 'records', done: Math.min(last, seq + BATCH - 1), total: last })
  }
  const floating = readFloating(database)
  if (floating.length > 0) await options.onBatch(floating)
  // What ends where a page cannot be read may have gone on.
  if (found === undefined || last === 0 || walProblem(database.path) !== undefined) own.gap()
  return { read, lost, own: own.count(), ownEnd: own.end() }
}

/** Where this node's own lanes end below the base of a pruned log. */
function ownEndsBelow(seed: BaseSeed | undefined, witnessKey: PublicKey): readonly Anchor[] {
  const lanes = seed?.base.lanes().filter(({ key }) => equalBytes(key, witnessKey)) ?? []
  return lanes.flatMap(({ lane, last }) => {
    const seq = seed?.base.seqAt(lane, last)
    return (seq === undefined ? undefined : seed?.base.at(seq)) ?? []
  })
}

interface OwnChain {
  /** Begins with what a prune took. */
  readonly begin: (anchor: Anchor) => void
  readonly take: (entry: LogEntry) => void
  /** Something cannot be read here. */
  readonly gap: () => void
  readonly count: () => number
  readonly end: () => OwnChainEnd
}

/**
 * Follows the own chain through what can be read. A gap may hide own intentions, and so where the chain ends. An own
 * intention after it that is later than all before it tells where: whatever the gap holds, it was written on top of that.
 */
function createOwnChain(): OwnChain {
  const tips = new Map<IdKey, IntentionId>()
  let newest: Hlc | undefined
  let count = 0
  let isUncertain = false
  return {
    begin: ({ id, meta }) => {
      tips.set(idKey(id), id)
      if (newest === undefined || compareHlc(meta.timestamp, newest) > 0) newest = meta.timestamp
    },
    take: ({ parsed: { id, intention } }) => {
      for (const cause of [intention.storePrev, ...intention.causalDeps]) tips.delete(idKey(cause))
      tips.set(idKey(id), id)
      count += 1
      const isLater = newest === undefined || compareHlc(intention.timestamp, newest) > 0
      if (!isLater) return
      isUncertain = false
      newest = intention.timestamp
    },
    gap: () => {
      isUncertain = true
    },
    count: () => count,
    end: () => ({ kind: isUncertain ? 'unknown' : 'known', tips: [...tips.values()] }),
  }
}

/** What floated, as far as it can be read: it was checked when it came, and is again. */
function readFloating(database: Database): readonly SignedIntention[] {
  try {
    return database
      .prepare<FloatingRow>('SELECT * FROM floating ORDER BY arrival')
      .all()
      .map((row) => ({
        bytes: toPlainBytes(row.bytes),
        signature: row.signature === null ? new Uint8Array(0) : toPlainBytes(row.signature),
      }))
  } catch {
    return []
  }
}
