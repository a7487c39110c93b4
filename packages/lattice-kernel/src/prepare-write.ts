/**
 * Makes one own write, with the records that belong to it: what is refused leaves no trace.
 *
 * @module
 */
import { type IntentionId, MAX_RUN_LENGTH, NO_HINTS } from '@lattice/model'
import { appendEpoch } from './append-epoch.ts'
import { ACK, type AppendedOne, appendOne, assertMayWrite, takeBack } from './append-one.ts'
import type { Core } from './core.ts'
import { encodeOp } from './envelope.ts'
import { WriteRefused } from './errors.ts'
import type { SubmitOp, SubmitOptions } from './kernel-types.ts'
import type { LogEntry } from './log-entry.ts'
import { resolveCauses } from './resolve-causes.ts'

/** Records of one write: an ack where it cites more than it can hold, the write itself, an epoch that it calls for. */
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
  const encoded = encodeOp(submitted)
  const { kind } = encoded.op
  assertMayWrite(core, kind)
  if (kind === 'genesis' || kind === 'epoch' || kind === 'unknown') {
    throw new WriteRefused('INVALID_ARGUMENT', `an operation of kind ${kind} cannot be submitted`, { kind })
  }
  const { storePrev, plan, newest } = resolveCauses(core, encoded.op, options)
  const hints = { supersedesAll: options.hints?.supersedesAll ?? false, ephemeral: options.hints?.ephemeral ?? false }
  if (plan.ack.length === 0) {
    const close = kind === 'ack'
    return withEpoch(core, appendOne(core, { encoded, storePrev, deps: plan.direct, newest, hints, close }))
  }
  if (maxRecords < 2) return undefined
  const ack = appendOne(core, { encoded: ACK, storePrev, deps: plan.ack, newest, hints: NO_HINTS })
  try {
    const { timestamp } = ack.entry.parsed.intention
    const deps = [...plan.direct, ack.entry.parsed.id]
    const write = appendOne(core, { encoded, storePrev: ack.entry.parsed.id, deps, newest: timestamp, hints })
    const { id, entries, bytes } = withEpoch(core, write)
    return { id, entries: [ack.entry, ...entries], bytes: ack.entry.parsed.bytes.length + bytes }
  } catch (error) {
    takeBack(core)
    throw error
  }
}

/**
 * The write with the epoch that it calls for, in the same commit. One that cannot be made is left out: what the write says
 * stands without it, and the next that calls for it gets it.
 */
function withEpoch(core: Core, { entry, epoch }: AppendedOne): PreparedWrite {
  const { parsed } = entry
  const write = { id: parsed.id, entries: [entry], bytes: parsed.bytes.length }
  // Where nothing is known of peers, no epoch counts.
  if (epoch === undefined || core.options.membership === undefined) return write
  // The epoch closes a run of its own, so that none becomes too long by it.
  core.log.closeRun()
  try {
    const made = appendEpoch(core, epoch, MAX_RUN_LENGTH)
    if (made === undefined) return write
    return { id: parsed.id, entries: [entry, ...made.entries], bytes: write.bytes + made.bytes }
  } catch (error) {
    const { logger } = core.options
    const about = { id: parsed.id, error }
    // The log may know of a removal that the tables this write was judged by do not show yet.
    if (error instanceof WriteRefused) logger.warn('epoch that a write calls for was refused', about)
    else logger.error('epoch that a write calls for was not made', about)
    return write
  }
}
