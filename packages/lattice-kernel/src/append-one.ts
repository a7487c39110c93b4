/**
 * Makes one own intention, and takes it back: what is refused leaves nothing appended and nothing applied.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  compareHlc,
  encodedIntentionBytes,
  formatHlc,
  type Hints,
  type Hlc,
  type IntentionId,
  mustClose,
  type OpKind,
  signIntention,
  sortDeps,
  validateIntention,
} from '@lattice/model'
import { weaver } from '@lattice/proto'
import type { EpochWish } from '@lattice/store-base'
import type { Core } from './core.ts'
import { type EncodedOp, encodeOp } from './envelope.ts'
import { WriteRefused } from './errors.ts'
import { assertNotAhead } from './kernel-time.ts'
import type { LogEntry } from './log-entry.ts'

/** An ack that says nothing but what it cites. */
export const ACK: EncodedOp = encodeOp(create(weaver.UniversalOpSchema, { op: { case: 'ack', value: {} } }))

export interface OwnIntention {
  readonly encoded: EncodedOp
  readonly storePrev: IntentionId
  readonly deps: readonly IntentionId[]
  readonly newest: Hlc
  readonly hints: Hints
  /** It carries a signature of its own, wherever in its group it stands. */
  readonly close?: boolean
}

export interface AppendedOne {
  readonly entry: LogEntry
  /** What the store is to have right after it. */
  readonly epoch: EpochWish | undefined
}

/** Signs and appends one intention, applied to the working tables. Throws `WriteRefused`; then nothing has changed. */
export function appendOne(
  core: Core,
  { encoded, storePrev, deps, newest, hints, close = false }: OwnIntention,
): AppendedOne {
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
  return { entry, epoch: outcome.epoch }
}

function tickAfter({ time, options }: Core, newest: Hlc): Hlc {
  const timestamp = time.tick()
  if (compareHlc(timestamp, newest) <= 0) {
    const detail = { timestamp: formatHlc(timestamp), cause: formatHlc(newest) }
    throw new WriteRefused('CLOCK_SKEW', "this machine's clock is behind the writes it has: set it right", detail)
  }
  assertNotAhead(time.wallMs(), options.peerTime?.())
  return timestamp
}

/** Throws `WriteRefused` where this node must not write at all. */
export function assertMayWrite({ admits, options, standing }: Core, kind: OpKind): void {
  if (standing.isAuthorCut(options.signer.publicKey, kind)) {
    throw new WriteRefused(
      'REVOKED',
      'this node was removed from the store, or had the role of a writer taken, and what it wrote would count nowhere: ask an admin for an invitation',
    )
  }
  if (!admits(options.signer.publicKey)) {
    throw new WriteRefused(
      'NOT_ADMITTED',
      'this node may read the store, but not write to it: ask an admin of it for the role of a writer',
    )
  }
  const held = options.holdWrites?.()
  if (held !== undefined) throw new WriteRefused('STORE_NOT_READY', held)
}

/** Takes back the kernel op that was appended last. */
export function takeBack({ projection, log, ownTips }: Core): void {
  projection().retract()
  log.retract()
  ownTips.forget()
}
