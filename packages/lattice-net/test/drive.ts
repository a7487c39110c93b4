/**
 * Drives machines by hand, without a stream: every frame passes through its codec, every call is carried out in order.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { encodeFrame, type Frame, type FrameInit } from '../src/frame.ts'
import { createFrameDecoder } from '../src/frame-decoder.ts'
import { performCall } from '../src/perform-call.ts'
import type { JoinHandler } from '../src/session-call.ts'
import { type Effects, type Fail, refusalFrameOf, type SessionFailure, type SessionMachine } from '../src/session.ts'

/** What one side came to. */
export interface Side<Outcome> {
  readonly outcome: Outcome | undefined
  readonly failure: SessionFailure | undefined
  /** Frames it sent. */
  readonly sent: readonly Frame[]
}

export interface Driven<Outcome> {
  readonly side: Side<Outcome>
  readonly take: (effects: Effects<Outcome>) => Promise<void>
  /** Frames to be delivered, oldest first. */
  readonly outbox: Frame[]
  readonly over: () => boolean
}

/** A frame as it arrives at the other end. */
export function toFrame(init: FrameInit): Frame {
  const decoder = createFrameDecoder()
  decoder.push(encodeFrame(init))
  const frame = decoder.next()
  assert(frame.ok && frame.value !== undefined, 'a frame survives its codec')
  return frame.value
}

/** Carries out what a machine answers. */
export function drive<Outcome>(
  machine: SessionMachine<Outcome>,
  joinHandler?: JoinHandler,
  tellsRefusals = false,
): Driven<Outcome> {
  const sent: Frame[] = []
  const outbox: Frame[] = []
  const side: { outcome: Outcome | undefined; failure: SessionFailure | undefined; sent: Frame[] } = {
    outcome: undefined,
    failure: undefined,
    sent,
  }
  // An outcome may be nothing.
  let isOver = false
  const over = (): boolean => isOver
  async function take(effects: Effects<Outcome>): Promise<void> {
    for (const effect of effects) {
      if (over()) return
      switch (effect.kind) {
        case 'send': {
          const frame = toFrame(effect.frame)
          sent.push(frame)
          outbox.push(frame)
          break
        }
        case 'call':
        case 'pull': {
          const answer = await performCall(effect.call, {
            onIngested: () => undefined,
            drain: async () => undefined,
            nextTurn: async () => undefined,
            takeRun: async ({ store, arrived: { message } }) =>
              message.payload.kind === 'run' ? store.ingest(message.payload.intentions) : [],
            ...(joinHandler === undefined ? {} : { joinHandler }),
          })
          await take(machine.answered(answer))
          break
        }
        case 'finish':
          side.outcome = effect.outcome
          isOver = true
          break
        case 'fail':
          side.failure = effect.failure
          isOver = true
          if (tellsRefusals) outbox.push(...refusalOf(effect.failure))
          break
      }
    }
  }
  return { side, take, outbox, over }
}

function refusalOf(failure: SessionFailure): readonly Frame[] {
  const frame = refusalFrameOf(failure)
  return frame === undefined ? [] : [toFrame(frame)]
}

/** A refusal as the openings of both sides hand it on. */
function give<Outcome>(machine: SessionMachine<Outcome>, frame: Frame): Effects<Outcome> {
  return frame.case === 'refused' && machine.refused !== undefined
    ? machine.refused(frame.value)
    : machine.receive(frame)
}

/** One machine against frames written by hand. Answers what it came to. */
export async function feed<Outcome>(
  machine: SessionMachine<Outcome>,
  frames: readonly FrameInit[],
  joinHandler?: JoinHandler,
): Promise<Side<Outcome>> {
  const driven = drive(machine, joinHandler)
  await driven.take(machine.start())
  for (const frame of frames) if (!driven.over()) await driven.take(machine.receive(toFrame(frame)))
  return driven.side
}

export interface ConversationOptions {
  /** Frames delivered in all, after which the conversation is cut. */
  readonly frames?: number
  /** Frames of one side delivered, after which the rest of its frames are lost. */
  readonly framesOf?: { readonly from: 'a' | 'b'; readonly frames: number }
  /** Once nothing more is delivered, both sides hear that the stream has ended. */
  readonly end?: boolean
  /** Changes what `a` (or `b`) sent before it arrives; a failure is what the shell makes of bytes that are no frame. */
  readonly alter?: (from: 'a' | 'b', frame: Frame) => Frame | Fail
  /** A side that fails tells the other so, as the shell does. */
  readonly tellsRefusals?: boolean
  /** Redeems tokens, where the protocol does. */
  readonly joinHandler?: JoinHandler
}

/** What a conversation came to. */
export interface Conversation<A, B> {
  readonly a: Side<A>
  readonly b: Side<B>
  /** Frames that arrived. */
  readonly delivered: number
}

/** Two machines in conversation until both are over, nothing is left to deliver, or the cut. */
export async function converse<A, B>(
  a: SessionMachine<A>,
  b: SessionMachine<B>,
  options: ConversationOptions = {},
): Promise<Conversation<A, B>> {
  const { frames = Number.POSITIVE_INFINITY, framesOf, end = false, alter = (_, frame) => frame, joinHandler } = options
  const { tellsRefusals } = options
  const left = drive(a, joinHandler, tellsRefusals)
  const right = drive(b, joinHandler, tellsRefusals)
  await left.take(a.start())
  await right.take(b.start())
  let delivered = 0
  const deliveredOf = { a: 0, b: 0 }
  /** The next frame of a side that arrives. */
  function nextOf(from: 'a' | 'b'): Frame | Fail | undefined {
    const frame = delivered < frames ? (from === 'a' ? left : right).outbox.shift() : undefined
    if (frame === undefined || (framesOf?.from === from && deliveredOf[from] >= framesOf.frames)) return undefined
    delivered += 1
    deliveredOf[from] += 1
    return alter(from, frame)
  }
  for (let moved = true; moved;) {
    const toRight = nextOf('a')
    if (toRight !== undefined && !right.over()) await right.take('kind' in toRight ? [toRight] : give(b, toRight))
    const toLeft = nextOf('b')
    if (toLeft !== undefined && !left.over()) await left.take('kind' in toLeft ? [toLeft] : give(a, toLeft))
    moved = toRight !== undefined || toLeft !== undefined
  }
  if (end && !left.over()) await left.take(a.ended?.() ?? [LOST])
  if (end && !right.over()) await right.take(b.ended?.() ?? [LOST])
  return { a: left.side, b: right.side, delivered }
}

/** What the shell makes of an end that a machine does not know. */
export const LOST = { kind: 'fail', failure: { kind: 'lost', why: 'the stream ended early' } } as const

/** Two machines that answer each other's frames a flight at a time, as over a link with nothing but latency. */
export async function flights<A, B>(
  a: SessionMachine<A>,
  b: SessionMachine<B>,
): Promise<{ readonly a: Side<A>; readonly b: Side<B>; readonly roundTrips: number }> {
  const [left, right] = [drive(a), drive(b)]
  await left.take(a.start())
  await right.take(b.start())
  let flown = 0
  // Until both sides know the outcome: what the last flight of the other side brings is not waited for.
  while (!left.over() || !right.over()) {
    const isOutward = flown % 2 === 0
    const [from, to, machine] = isOutward ? [left, right, b] : [right, left, a]
    const frames = from.outbox.splice(0)
    if (frames.length === 0 && (isOutward ? right : left).outbox.length === 0) break
    flown += 1
    for (const frame of frames) if (!to.over()) await to.take(machine.receive(frame) as never)
    if (left.over()) break
  }
  return { a: left.side, b: right.side, roundTrips: Math.ceil(flown / 2) }
}
