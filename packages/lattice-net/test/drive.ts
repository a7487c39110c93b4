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
import type { Effects, SessionFailure, SessionMachine } from '../src/session.ts'

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
export function drive<Outcome>(machine: SessionMachine<Outcome>, joinHandler?: JoinHandler): Driven<Outcome> {
  const sent: Frame[] = []
  const outbox: Frame[] = []
  const side: { outcome: Outcome | undefined; failure: SessionFailure | undefined; sent: Frame[] } = {
    outcome: undefined,
    failure: undefined,
    sent,
  }
  const over = (): boolean => side.failure !== undefined || side.outcome !== undefined
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
            onAdvance: async () => undefined,
            ...(joinHandler === undefined ? {} : { joinHandler }),
          })
          await take(machine.answered(answer))
          break
        }
        case 'finish':
          side.outcome = effect.outcome
          break
        case 'fail':
          side.failure = effect.failure
          break
      }
    }
  }
  return { side, take, outbox, over }
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
  /** Changes what `a` (or `b`) sent before it arrives. */
  readonly alter?: (from: 'a' | 'b', frame: Frame) => Frame
}

/** Two machines in conversation until both are over, nothing is left to deliver, or the cut. */
export async function converse<A, B>(
  a: SessionMachine<A>,
  b: SessionMachine<B>,
  { frames = Number.POSITIVE_INFINITY, alter = (_, frame) => frame }: ConversationOptions = {},
): Promise<{ readonly a: Side<A>; readonly b: Side<B>; readonly delivered: number }> {
  const left = drive(a)
  const right = drive(b)
  await left.take(a.start())
  await right.take(b.start())
  let delivered = 0
  for (let moved = true; moved && delivered < frames;) {
    moved = false
    const toRight = left.outbox.shift()
    if (toRight !== undefined && delivered < frames) {
      moved = true
      delivered += 1
      if (!right.over()) await right.take(b.receive(alter('a', toRight)))
    }
    const toLeft = right.outbox.shift()
    if (toLeft !== undefined && delivered < frames) {
      moved = true
      delivered += 1
      if (!left.over()) await left.take(a.receive(alter('b', toLeft)))
    }
  }
  return { a: left.side, b: right.side, delivered }
}

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
