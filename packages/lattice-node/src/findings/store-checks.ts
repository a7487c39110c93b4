/**
 * How one store is: its size and growth, its integrity, its projection, its forks.
 *
 * Pure: facts in, findings out. Of integrity it says what was looked at and what was not.
 *
 * @module
 */
import { shortId } from '../errors.ts'
import { DAMAGE_CODES } from '../failure.ts'
import type { StoreFailure } from '../store-types.ts'
import type { Verified } from '../node-health.ts'
import type { OpenHealth, StoreHealth } from './doctor-snapshot.ts'
import type { Reason } from './finding.ts'
import { remedyOf, storeReasons } from './store-reasons.ts'
import type { Circumstances } from './store-snapshot.ts'
import { durationText, plural, sizeText, withoutStop } from './words.ts'

/** Checkpoints keep a write-ahead log at a few megabytes: one of this size is not being taken in. */
const WAL_LARGE_BYTES: number = 256 * 1024 * 1024
/** Over less nothing has been measured. */
const MEASURED_FROM_MS = 1000
/** Growth over less time says nothing of a day. */
const RATE_FROM_MS = 3_600_000
const DAY_MS = 86_400_000

/** What is told of a store by the same rules as in answer to what is missing. */
const SHARED_CODES: ReadonlySet<string> = new Set([
  'projection_stalled',
  'upgrade_needed',
  'projecting',
  'writes_held',
  'forked_open',
  'headless',
  'bootstrapping',
  'creating',
  'destroy_awaiting',
  'floating_evicted',
  'state_divergence',
  'snapshot_failed',
  'prune_failed',
  'writes_stranded',
])

export function storeChecks(health: StoreHealth, around: Circumstances): readonly Reason[] {
  const { store, open, verified } = health
  if (store.failure !== undefined) return [failureCheck(health, store.failure)]
  const shared = storeReasons(store, around).filter(({ code }) => SHARED_CODES.has(code))
  if (open === undefined) {
    return shared.length > 0
      ? shared
      : [{ severity: 'ok', code: 'closed', what: `the store is ${store.state}, and not in use` }]
  }
  return [
    ...sizeChecks(open),
    integrityCheck(store.ref.id, open, { verified, nowMs: around.nowMs }),
    ...projectionOk(health),
    ...forksOk(health, open),
    ...shared,
  ]
}

function failureCheck({ store }: StoreHealth, { code, message }: StoreFailure): Reason {
  const id = shortId(store.ref.id)
  const isDamage = DAMAGE_CODES.has(code)
  return {
    severity: 'problem',
    code: isDamage ? 'integrity' : 'store_failed',
    what: `the store cannot be used: ${withoutStop(message)}`,
    remedy: isDamage
      ? `\`lattice store verify --full ${id}\` says what is damaged, \`lattice store repair ${id}\` mends it`
      : remedyOf(code),
    detail: { code },
  }
}

function sizeChecks({ now, before, walBytes }: OpenHealth): readonly Reason[] {
  const { records, logBytes, stateBytes, snapshotBytes } = now
  const kept = snapshotBytes === 0 ? '' : `, snapshots ${sizeText(snapshotBytes)}`
  const size = `${plural(records, 'record')}, log ${sizeText(logBytes)}, state ${sizeText(stateBytes)}${kept}`
  const detail = { records, logBytes, stateBytes, snapshotBytes, walBytes, ...growthDetail(now, before) }
  const reasons: Reason[] = [{ severity: 'ok', code: 'size', what: `${size}${growthText(now, before)}`, detail }]
  if (walBytes >= WAL_LARGE_BYTES) {
    reasons.push({
      severity: 'warning',
      code: 'wal_large',
      what: `${sizeText(walBytes)} are in write-ahead logs that are not taken in: the disk refuses it, or another program reads the databases`,
      remedy: 'end whatever else has the files open, and start the node again',
      detail: { walBytes },
    })
  }
  return reasons
}

function growthDetail(now: OpenHealth['now'], before: OpenHealth['before']): Readonly<Record<string, number>> {
  if (before === undefined) return {}
  return {
    grownBytes: bytesOf(now) - bytesOf(before),
    grownRecords: now.records - before.records,
    sinceMs: before.atMs,
  }
}

function growthText(now: OpenHealth['now'], before: OpenHealth['before']): string {
  if (before === undefined) return ''
  const overMs = now.atMs - before.atMs
  const records = now.records - before.records
  const bytes = bytesOf(now) - bytesOf(before)
  if (overMs < MEASURED_FROM_MS) return ''
  const grown = bytes < 0 ? `shrank by ${sizeText(-bytes)}` : `grew by ${sizeText(bytes)}`
  const rate = bytes > 0 && overMs >= RATE_FROM_MS ? `, ${sizeText(Math.round((bytes / overMs) * DAY_MS))} a day` : ''
  return `; ${grown} and ${plural(records, 'record')} in ${durationText(overMs)}${rate}`
}

function bytesOf({ logBytes, stateBytes, snapshotBytes }: OpenHealth['now']): number {
  return logBytes + stateBytes + snapshotBytes
}

function integrityCheck(
  storeId: Uint8Array,
  { scrubbed, now }: OpenHealth,
  { verified, nowMs }: { readonly verified: Verified | undefined; readonly nowMs: number },
): Reason {
  const id = shortId(storeId)
  if (verified !== undefined && verified.report.outcome !== 'sound') {
    const { problemCount, problems, outcome } = verified.report
    const first = problems[0] === undefined ? '' : `, the first: ${withoutStop(problems[0].what)}`
    return {
      severity: 'problem',
      code: 'integrity',
      what: `verified ${durationText(nowMs - verified.atMs)} ago: ${plural(problemCount, 'problem')}${first}`,
      remedy: `run \`lattice store repair ${id}\``,
      detail: { outcome, problems: problemCount, verifiedMs: verified.atMs },
    }
  }
  const read = scrubText(scrubbed, { records: now.records, nowMs })
  const looked =
    verified === undefined
      ? 'not verified since the node started'
      : `verified${verified.report.full ? ' in full' : ''} ${durationText(nowMs - verified.atMs)} ago`
  const isFull = verified?.report.full === true
  return {
    severity: scrubbed === undefined && verified === undefined ? 'info' : 'ok',
    code: 'integrity',
    what: `no damage met: it opened with a good last commit; ${read}; ${looked}`,
    remedy: isFull ? '' : `\`lattice store verify --full ${id}\` looks at everything`,
    detail: {
      ...(scrubbed === undefined ? {} : { scrubbed: scrubbed.checked }),
      ...(scrubbed?.passEndedMs === undefined ? {} : { passEndedMs: scrubbed.passEndedMs }),
      ...(verified === undefined ? {} : { verifiedMs: verified.atMs, full: isFull }),
    },
  }
}

function scrubText(
  scrubbed: OpenHealth['scrubbed'],
  { records, nowMs }: { readonly records: number; readonly nowMs: number },
): string {
  if (scrubbed === undefined) return 'nothing reads it through in the background'
  const { checked, passEndedMs } = scrubbed
  if (passEndedMs !== undefined)
    return `all of it was read through in the background, the last time ${durationText(nowMs - passEndedMs)} ago`
  return `${Math.min(checked, records)} of ${plural(records, 'record')} were read through in the background so far`
}

function projectionOk({ store }: StoreHealth): readonly Reason[] {
  const { open } = store
  if (open === undefined || open.headless || open.stalled !== undefined) return []
  const { appliedSeq, headSeq } = open.projection
  if (appliedSeq < headSeq) return []
  return [{ severity: 'ok', code: 'projection', what: `all ${plural(headSeq, 'record')} are projected` }]
}

/** Open forks are told by themselves. */
function forksOk({ store }: StoreHealth, { forkedAuthors }: OpenHealth): readonly Reason[] {
  if ((store.open?.openForks.length ?? 0) > 0) return []
  const joined = `${plural(forkedAuthors, 'author')} forked, and joined the branches since`
  return [
    {
      severity: 'ok',
      code: 'forks',
      what: forkedAuthors === 0 ? 'no author forked' : joined,
      detail: { forkedAuthors },
    },
  ]
}
