/**
 * Makes one own write: everything that can be refused is refused here, before it is appended.
 *
 * @module
 */
import {
  compareHlc,
  encodedIntentionBytes,
  equalBytes,
  formatHlc,
  type Hlc,
  HLC_ZERO,
  type Intention,
  type IntentionId,
  MAX_DRIFT_MS,
  mustClose,
  type ParsedIntention,
  signIntention,
  sortDeps,
  toHex,
  type UniversalOp,
  validateIntention,
} from '@lattice/model'
import type { Core } from './core.ts'
import { encodeOp, toEnvelope } from './envelope.ts'
import { WriteRefused } from './errors.ts'
import type { SubmitOp, SubmitOptions } from './kernel-types.ts'
import type { LogEntry } from './log-entry.ts'

/**
 * The record of one write, applied to the projection's working tables. The caller appends it at once. Throws
 * `WriteRefused`, or what the state machine or `deps` throws; then nothing has changed.
 */
export function prepareWrite(core: Core, submitted: SubmitOp, options: SubmitOptions): LogEntry {
  const { signer, crypto } = core.options
  if (!core.admits(signer.publicKey)) {
    throw new WriteRefused('NOT_ADMITTED', 'this node is no member of the store: ask an admin of it for an invite')
  }
  const { bytes, op } = encodeOp(submitted)
  if (op.kind === 'genesis' || op.kind === 'unknown') {
    throw new WriteRefused('INVALID_ARGUMENT', `an operation of kind ${op.kind} cannot be submitted`, { kind: op.kind })
  }
  const { storePrev, deps, newest } = resolveCauses(core, op, options)
  const intention: Intention = {
    author: signer.publicKey,
    timestamp: tickAfter(core, newest),
    storePrev,
    causalDeps: deps,
    hints: { supersedesAll: options.hints?.supersedesAll ?? false, ephemeral: options.hints?.ephemeral ?? false },
    ops: bytes,
  }
  const valid = validateIntention(intention, op)
  if (!valid.ok) {
    const size = encodedIntentionBytes(intention)
    const message = `the write is beyond a limit (${valid.error.code}): make it smaller, or several`
    throw new WriteRefused('LIMIT_EXCEEDED', message, { ...valid.error, size })
  }
  const parsed = signIntention(crypto, signer, { intention, op, close: mustClose(intention, op) })
  return applyWrite(core, parsed)
}

function applyWrite(core: Core, parsed: ParsedIntention): LogEntry {
  const entry = core.log.prepare(parsed, core.time.wallMs())
  const outcome = core.projection().apply(entry, 'refuse')
  if (outcome.kind === 'applied') return entry
  const { reason } = outcome
  throw new WriteRefused('INVALID_ARGUMENT', `the store would reject the write (${reason})`, { reason })
}

interface Causes {
  readonly storePrev: IntentionId
  readonly deps: readonly IntentionId[]
  readonly newest: Hlc
}

function resolveCauses(core: Core, op: UniversalOp, options: SubmitOptions): Causes {
  const { log, authority, dag } = core
  const { publicKey } = core.options.signer
  const tables = core.projection().working
  const tips = ownTips(core)
  const storePrev = tips[0]?.parsed.id ?? log.meta().storeId
  const deps = [...(options.deps?.(tables) ?? [])]
  const envelope = toEnvelope(op)
  const required = envelope === undefined ? [] : authority.requiredDeps(tables, publicKey, envelope)
  for (const id of required) {
    const isPast = tips.some((tip) => equalBytes(tip.parsed.id, id) || dag.follows(tip, id))
    if (!isPast) deps.push(id)
  }
  for (const tip of tips.slice(1)) deps.push(tip.parsed.id)
  // Never empty: a first write cites the genesis.
  if (deps.length === 0) deps.push(log.meta().storeId)

  let newest = HLC_ZERO
  for (const id of [storePrev, ...deps]) {
    const cause = log.find(id)
    if (cause === undefined) {
      throw new WriteRefused('INVALID_ARGUMENT', `the dep ${toHex(id)} is not in this store`, { dep: toHex(id) })
    }
    if (compareHlc(cause.timestamp, newest) > 0) newest = cause.timestamp
  }
  return { storePrev, deps: sortDeps(deps), newest }
}

/** Own tips, the latest first: several after a fork, which the next write joins. */
function ownTips({ log, options }: Core): readonly LogEntry[] {
  const author = log.authors.find(options.signer.publicKey)
  if (author === undefined) return []
  const tips = [...author.tips].map((seq) => log.entryAt(seq))
  return tips.sort((a, b) => compareHlc(b.meta.timestamp, a.meta.timestamp) || b.meta.seq - a.meta.seq)
}

function tickAfter({ time, options }: Core, newest: Hlc): Hlc {
  const timestamp = time.tick()
  if (compareHlc(timestamp, newest) <= 0) {
    const detail = { timestamp: formatHlc(timestamp), cause: formatHlc(newest) }
    throw new WriteRefused('CLOCK_SKEW', "this machine's clock is behind the writes it has: set it right", detail)
  }
  const peerWall = options.peerWallMs?.()
  if (peerWall !== undefined && timestamp.wall > peerWall + MAX_DRIFT_MS) {
    const detail = { aheadMs: timestamp.wall - peerWall, limitMs: MAX_DRIFT_MS }
    throw new WriteRefused('CLOCK_SKEW', "this machine's clock is ahead of its peers': set it right", detail)
  }
  return timestamp
}
