/**
 * A reconcile session between two kernels in one process, a flight of frames at a time: bytes, round trips and CPU as they
 * are, without a network's own.
 *
 * @module
 */
import { assert } from '@lattice/model'
import {
  createFrameDecoder,
  createReconcileInitiator,
  createReconcileResponder,
  type Effects,
  encodeFrame,
  type ReconcileOutcome,
  type SessionAnswer,
  type SessionCall,
  type SessionMachine,
  type SessionStore,
} from '@lattice/net'

export interface SessionFigures {
  /** Until the side that started knows the outcome. */
  readonly roundTrips: number
  /** Of all frames, both ways. */
  readonly bytes: number
  /** Of both sides, in milliseconds. */
  readonly cpuMs: number
  /** The part of it until the first intention arrives: what finding the difference takes. */
  readonly findingMs: number
  readonly outcome: ReconcileOutcome
}

interface Side {
  readonly machine: SessionMachine<ReconcileOutcome>
  readonly outbox: Uint8Array[]
  outcome: ReconcileOutcome | undefined
}

/** Runs a session to its end, which has to be a good one. */
export async function driveSession(own: SessionStore, other: SessionStore): Promise<SessionFigures> {
  const before = process.cpuUsage()
  const initiator = sideOf(createReconcileInitiator(own))
  const responder = sideOf(createReconcileResponder({ resolve: () => other }))
  let [flights, bytes] = [0, 0]
  let findingMs: number | undefined
  await take(initiator, initiator.machine.start())
  for (let [from, to] = [initiator, responder]; initiator.outcome === undefined; [from, to] = [to, from]) {
    flights += 1
    for (const frame of from.outbox.splice(0)) {
      bytes += frame.length
      const decoder = createFrameDecoder()
      decoder.push(frame)
      const read = decoder.next()
      assert(read.ok && read.value !== undefined, 'a frame survives its codec')
      if (read.value.case === 'intentions') findingMs ??= cpuMsSince(before)
      await take(to, to.machine.receive(read.value))
    }
  }
  for (const frame of initiator.outbox) bytes += frame.length
  const { outcome } = initiator
  assert(outcome.synced, 'the session ends in equal digests')
  const cpuMs = cpuMsSince(before)
  return { roundTrips: Math.ceil(flights / 2), bytes, cpuMs, findingMs: findingMs ?? cpuMs, outcome }
}

function sideOf(machine: SessionMachine<ReconcileOutcome>): Side {
  return { machine, outbox: [], outcome: undefined }
}

async function take(side: Side, effects: Effects<ReconcileOutcome>): Promise<void> {
  for (const effect of effects) {
    if (effect.kind === 'send') side.outbox.push(encodeFrame(effect.frame))
    else if (effect.kind === 'finish') side.outcome = effect.outcome
    else if (effect.kind === 'fail') throw new Error(`a session failed: ${JSON.stringify(effect.failure)}`)
    else await take(side, side.machine.answered(await perform(effect.call)))
  }
}

async function perform(call: SessionCall): Promise<SessionAnswer> {
  switch (call.kind) {
    case 'ingest':
      return { kind: 'ingested', outcomes: await call.store.ingest(call.intentions) }
    case 'read':
      return { kind: 'loaded', read: call.store.read(call.ids, call.maxBytes) }
    case 'read_spans':
      return { kind: 'spans', read: call.store.readSpans(call.spans, call.maxBytes) }
    case 'next_turn':
      return { kind: 'turned' }
    case 'read_chain':
    case 'read_page':
    case 'read_past':
    case 'read_foundation':
    case 'read_snapshot':
    case 'add_proof':
    case 'end_proof':
    case 'redeem':
    case 'drain':
    case 'take_run':
      throw new Error(`a reconcile session does not ${call.kind}`)
  }
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
