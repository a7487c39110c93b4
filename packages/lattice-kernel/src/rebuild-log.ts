/**
 * Writes a log anew from its own records: the same records, with every index made again.
 *
 * For a log whose records are all good while something derived from them is not. The new file is made beside the old one,
 * so that nothing of the damaged file's structure is carried along, and nothing is lost when this ends half-way.
 *
 * @module
 */
import {
  compareHlc,
  equalBytes,
  type Hlc,
  HLC_ZERO,
  type LatticeError,
  MAX_DRIFT_MS,
  type Signer,
} from '@lattice/model'
import { type Database, LogDamaged } from '@lattice/storage'
import { beginPruned } from './begin-pruned.ts'
import { readBaseSeed } from './check-base.ts'
import { baseAnchors, baseLanes, baseSpans } from './log-base.ts'
import { checkpointSeq, claimedQuietBelow, readClaims } from './log-claims.ts'
import type { LogEntry } from './log-entry.ts'
import type { LogMeta } from './log-meta.ts'
import { createLogStore, type LogStore } from './log-store.ts'
import type { FloatingRow } from './log-schema.ts'
import { openLog, openLogFile, type OpenedLog } from './open-log.ts'
import { createRecordScan } from './record-scan.ts'
import type { VerifyLogOptions } from './verify-types.ts'

export interface RebuildLogOptions extends Omit<VerifyLogOptions, 'witnessKey'> {
  /** Where the new log is made; exists and has none. */
  readonly target: string
  readonly signer: Signer
}

/** Records committed at once, about: as many as a run, so that each commit ends where one did. */
const COMMIT_RECORDS = 256

/**
 * Makes the log of `directory` anew in `target`; answers how many records it has. Rejects with `LogDamaged` where a record
 * is not good after all, with `DiskFull`, or with `signal.reason`; the log in `target` is unfinished then.
 */
export async function rebuildLog(options: RebuildLogOptions): Promise<number> {
  const { directory, target, storeId, crypto, signer, membership } = options
  const source = openLogFile(directory, { readonly: true })
  try {
    const opened = openLog({ directory: target, storeId, crypto, signer })
    const { database } = opened
    const meta = copyBeginning(source, opened, options)
    const log = createLogStore({ database, crypto, signer, opened: meta, ...(membership && { membership }) })
    try {
      const count = await copyRecords(source, log, options)
      copyFloating(source, database)
      return count
    } finally {
      log.close()
    }
  } finally {
    source.close()
  }
}

async function copyRecords(source: Database, log: LogStore, options: RebuildLogOptions): Promise<number> {
  const { crypto, signal, scheduler, onProgress } = options
  const scan = createRecordScan(source, crypto)
  const claims = readClaims(source)
  const last = Math.max(scan.lastSeq() ?? 0, checkpointSeq(claims))
  let hlc = HLC_ZERO
  let highestMs = 0
  // Of a pruned log what comes before the base is there already.
  for (let seq = log.meta().headSeq + 1; seq <= last; seq += COMMIT_RECORDS) {
    signal?.throwIfAborted()
    for (const scanned of scan.read(seq, Math.min(last, seq + COMMIT_RECORDS - 1))) {
      if ('bad' in scanned) throw damaged(source, scanned.seq, scanned.bad.what)
      appendAgain(source, log, scanned.entry)
      const { meta, witnessedMs } = scanned.entry
      highestMs = Math.max(highestMs, meta.timestamp.wall, witnessedMs)
      if (compareHlc(meta.timestamp, hlc) > 0) hlc = meta.timestamp
      // A group ends where it did, so that no record gets a signature it did not have.
      const isFull = log.appended() >= COMMIT_RECORDS || scanned.seq === last
      if (isFull && scanned.entry.witnessSignature.length > 0) log.commit({ hlc: clockOf(claims.meta, hlc, highestMs) })
    }
    onProgress?.({ part: 'records', done: Math.min(last, seq + COMMIT_RECORDS - 1), total: last })
    await new Promise<void>((resolve) => void scheduler.soon(resolve))
  }
  return last
}

/** Of a pruned log, all that is before the base. Throws `LogDamaged` where this node does not vouch for it. */
function copyBeginning(source: Database, { database, meta }: OpenedLog, options: RebuildLogOptions): LogMeta {
  const { crypto, signer } = options
  const seed = readBaseSeed({ database: source, crypto, storeId: meta.storeId, witnessKey: signer.publicKey })
  if (seed === undefined) return meta
  const row = typeof seed === 'string' ? undefined : seed.base.row()
  if (typeof seed === 'string' || row === undefined) throw damaged(source, 1, String(seed))
  const early: LogEntry[] = []
  const scan = createRecordScan(source, crypto)
  for (let seq = 1; seq < seed.fromSeq; seq += COMMIT_RECORDS) {
    for (const scanned of scan.readThere(seq, Math.min(seed.fromSeq - 1, seq + COMMIT_RECORDS - 1))) {
      if ('bad' in scanned) throw damaged(source, scanned.seq, scanned.bad.what)
      const { parsed, meta: place } = scanned.entry
      if (seed.kindOf(parsed.id, place) !== 'gone') early.push(scanned.entry)
    }
  }
  const [problem] = seed.check(early.map(({ parsed, meta: { seq } }) => ({ seq, id: parsed.id })))
  if (problem !== undefined) throw damaged(source, seed.fromSeq, problem)
  return beginPruned(
    { database, crypto, meta },
    {
      base: row,
      lanes: baseLanes(source, row.number),
      spans: baseSpans(source, row.number),
      anchors: () => baseAnchors(source, row.number),
      early,
      kindOf: seed.kindOf,
      quiet: claimedQuietBelow(readClaims(source), seed.base),
    },
  )
}

function appendAgain(source: Database, log: LogStore, entry: LogEntry): void {
  const { parsed, witnessedMs, witnessSignature, chainHash } = entry
  const prepared = log.prepare(parsed, witnessedMs)
  if (!equalBytes(prepared.chainHash, chainHash))
    throw damaged(source, entry.meta.seq, 'the witness chain does not link')
  log.append({ ...prepared, witnessSignature })
}

/** The clock as it was, where that may be; at least what the records had. */
function clockOf(meta: LogMeta | string, hlc: Hlc, highestMs: number): Hlc {
  const isPlausible =
    typeof meta !== 'string' && compareHlc(meta.hlc, hlc) > 0 && meta.hlc.wall <= highestMs + MAX_DRIFT_MS
  return isPlausible ? meta.hlc : hlc
}

/** What floats; rows that are not good are left behind, to come again from a peer. */
function copyFloating(source: Database, target: Database): void {
  let rows: readonly FloatingRow[]
  try {
    rows = source.prepare<FloatingRow>('SELECT * FROM floating ORDER BY arrival').all()
  } catch {
    return
  }
  target.transaction(() => {
    const insert = target.prepare('INSERT OR IGNORE INTO floating VALUES (?, ?, ?, ?)')
    for (const { arrival, id, bytes, signature } of rows) insert.run(arrival, id, bytes, signature)
  })
}

function damaged({ path }: Database, seq: number, problem: string): LatticeError {
  return new LogDamaged(path, { record: `witness ${seq}`, problem })
}
