/**
 * Makes one own write: what is refused leaves nothing appended and nothing applied.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  assert,
  compareHlc,
  encodedIntentionBytes,
  formatHlc,
  type Hints,
  type Hlc,
  type IntentionId,
  MAX_DRIFT_MS,
  mustClose,
  NO_HINTS,
  type OpKind,
  signIntention,
  sortDeps,
  validateIntention,
} from '@lattice/model'
import { weaver } from '@lattice/proto'
import type { Core } from './core.ts'
import { type EncodedOp, encodeOp } from './envelope.ts'
import { WriteRefused } from './errors.ts'
import type { SubmitOp, SubmitOptions } from './kernel-types.ts'
import { mayEndItsCutoffs } from './limits.ts'
import type { LogEntry } from './log-entry.ts'
import { resolveCauses } from './resolve-causes.ts'

/** Records of one write: an ack where it cites more than it can hold, then the write itself. */
export interface PreparedWrite {
  readonly id: IntentionId
  readonly entries: readonly LogEntry[]
  readonly bytes: number
}

/**
 * Appends one write and applies it to the projection's working tables; `undefined` when it takes more than `maxRecords`.
 * Throws `WriteRefused`, or what the state machine or `deps` throws; then nothing has changed.
 */
export function appendWrite(
  core: Core,
  { op: submitted, options }: { readonly op: SubmitOp; readonly options: SubmitOptions },
  maxRecords: number,
): PreparedWrite | undefined {
  const { signer } = core.options
  if (!core.admits(signer.publicKey) && !core.standing.isAuthorCut(signer.publicKey)) {
    throw new WriteRefused(
      'NOT_ADMITTED',
      'this node may read the store, but not write to it: ask an admin of it for the role of a writer',
    )
  }
  const held = core.options.holdWrites?.()
  if (held !== undefined) throw new WriteRefused('STORE_NOT_READY', held)
  const encoded = encodeOp(submitted)
  const { kind } = encoded.op
  assertNotCut(core, kind)
  if (kind === 'genesis' || kind === 'unknown') {
    throw new WriteRefused('INVALID_ARGUMENT', `an operation of kind ${kind} cannot be submitted`, { kind })
  }
  const { storePrev, plan, newest } = resolveCauses(core, encoded.op, options)
  const hints = { supersedesAll: options.hints?.supersedesAll ?? false, ephemeral: options.hints?.ephemeral ?? false }
  if (plan.ack.length === 0)
    return appendOne(core, { encoded, storePrev, deps: plan.direct, newest, hints, close: kind === 'ack' })
  if (maxRecords < 2) return undefined
  const ack = appendOne(core, { encoded: ACK, storePrev, deps: plan.ack, newest, hints: NO_HINTS })
  try {
    const [folded] = ack.entries
    assert(folded !== undefined, 'an ack is one record')
    const { timestamp } = folded.parsed.intention
    const deps = [...plan.direct, ack.id]
    const write = appendOne(core, { encoded, storePrev: ack.id, deps, newest: timestamp, hints })
    return { id: write.id, entries: [folded, ...write.entries], bytes: ack.bytes + write.bytes }
  } catch (error) {
    core.projection().retract()
    core.log.retract()
    core.ownTips.forget()
    throw error
  }
}

/** An epoch is let through where it may void the one that cut this node off. */
function assertNotCut({ standing, log, options }: Core, kind: OpKind): void {
  const { publicKey } = options.signer
  if (!standing.isAuthorCut(publicKey)) return
  if (kind === 'epoch' && mayEndItsCutoffs(log.limits, publicKey)) return
  throw new WriteRefused(
    'REVOKED',
    'this node was removed from the store, or had the role of a writer taken, and what it wrote would count nowhere: ask an admin for an invitation',
  )
}

const ACK: EncodedOp = encodeOp(create(weaver.UniversalOpSchema, { op: { case: 'ack', value: {} } }))

interface OwnIntention {
  readonly encoded: EncodedOp
  readonly storePrev: IntentionId
  readonly deps: readonly IntentionId[]
  readonly newest: Hlc
  readonly hints: Hints
  /** It carries a signature of its own, wherever in its group it stands. */
  readonly close?: boolean
}

function appendOne(
  core: Core,
  { encoded, storePrev, deps, newest, hints, close = false }: OwnIntention,
): PreparedWrite {
  const { signer, crypto } = core.options
  const { bytes: ops, op } = encoded
  const timestamp = tickAfter(core, newest)
  const intention = {
    author: signer.publicKey,
    timestamp,
    storePrev,
    causalDeps: deps.length === 1 ? deps : sortDeps(deps),
    hints,
    ops,
  }
  const valid = validateIntention(intention, op)
  if (!valid.ok) {
    const size = encodedIntentionBytes(intention)
    const message = `the write is beyond a limit (${valid.error.code}): make it smaller, or several`
    throw new WriteRefused('LIMIT_EXCEEDED', message, { ...valid.error, size })
  }
  const parsed = signIntention(crypto, signer, { intention, op, close: close || mustClose(intention, op) })
  const entry = core.log.prepare(parsed, core.time.wallMs())
  const outcome = core.projection().apply(entry, 'refuse')
  if (outcome.kind === 'rejected') {
    const { reason } = outcome
    throw new WriteRefused('INVALID_ARGUMENT', `the store would reject the write (${reason})`, { reason })
  }
  core.log.append(entry)
  return { id: parsed.id, entries: [entry], bytes: parsed.bytes.length }
}

function tickAfter({ time, options }: Core, newest: Hlc): Hlc {
  const timestamp = time.tick()
  if (compareHlc(timestamp, newest) <= 0) {
    const detail = { timestamp: formatHlc(timestamp), cause: formatHlc(newest) }
    throw new WriteRefused('CLOCK_SKEW', "this machine's clock is behind the writes it has: set it right", detail)
  }
  const peers = options.peerTime?.()
  if (peers === undefined) return timestamp
  // By the clock alone: timestamps go on from their last value when the clock is set back, or are taken along by a peer
  // whose writes are as far ahead as they may be, and neither stops our writes.
  const aheadMs = time.wallMs() - peers.medianMs
  if (aheadMs <= MAX_DRIFT_MS) return timestamp
  throw new WriteRefused('CLOCK_SKEW', "this machine's clock is ahead of its peers': set it right", {
    aheadMs,
    limitMs: MAX_DRIFT_MS,
  })
}
