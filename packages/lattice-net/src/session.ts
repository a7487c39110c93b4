/**
 * The shape of every protocol: a state machine without I/O that is told what happened and answers what to do.
 *
 * A machine is synchronous, deterministic and total: whatever frames arrive in whatever order, it answers effects. Its
 * shell (`run-session.ts`) carries them out in order, and ends with the first `finish` or `fail`.
 *
 * @module
 */
import type { IntentionId } from '@lattice/model'
import { net } from '@lattice/proto'
import type { BasesDisagree } from './bases.ts'
import type { Frame, FrameInit } from './frame.ts'
import type { SessionAnswer, SessionCall, SessionStore } from './session-call.ts'

/** Why a machine gave up. */
export type SessionFailure =
  /** The peer broke the protocol: it is told so and scored. */
  | { readonly kind: 'violation'; readonly why: string }
  /** This side will not do what was asked: the peer is told. */
  | { readonly kind: 'refuse'; readonly refusal: net.RefusalCode; readonly message: string }
  /** The peer will not do what was asked. */
  | { readonly kind: 'refused'; readonly refusal: number; readonly message: string }
  /** What was fetched does not hold together: the peer is told and scored. */
  | { readonly kind: 'bootstrap'; readonly why: string }
  /** There is no base over which both could work; the peer is told, unless it was it that said so. */
  | (Omit<BasesDisagree, 'kind'> & {
      readonly kind: 'bases'
      /** The peer's. */
      readonly base: IntentionId | undefined
      readonly isTold: boolean
    })
  /** The stream ended early. */
  | { readonly kind: 'lost'; readonly why: string }

/** The effect that ends a session in failure. */
export interface Fail {
  readonly kind: 'fail'
  readonly failure: SessionFailure
}

/**
 * One thing to do.
 *
 * - `send`: a frame, in order with the others.
 * - `call`: carried out one at a time, in order; the answer comes back through `answered`.
 * - `pull`: a call that waits until all frames so far are written: how a sender keeps to the pace of its peer.
 * - `finish`, `fail`: the end; nothing after it counts.
 */
export type Effect<Outcome> =
  | { readonly kind: 'send'; readonly frame: FrameInit }
  | { readonly kind: 'call'; readonly call: SessionCall }
  | { readonly kind: 'pull'; readonly call: SessionCall }
  | { readonly kind: 'finish'; readonly outcome: Outcome }
  | Fail

export type Effects<Outcome> = readonly Effect<Outcome>[]

/** One side of one session. */
export interface SessionMachine<Outcome> {
  /** Called once, first. */
  readonly start: () => Effects<Outcome>
  readonly receive: (frame: Frame) => Effects<Outcome>
  /** The answer to the oldest open call, or to the oldest open pull. */
  readonly answered: (answer: SessionAnswer) => Effects<Outcome>
  /** The peer will send no more. Without it the session is lost. */
  readonly ended?: () => Effects<Outcome>
  /** A refusal that is an answer among others. Without it a refusal ends the session. */
  readonly refused?: (refused: net.Refused) => Effects<Outcome>
  /** Bytes of the peer's that it keeps for later, beside those of calls. */
  readonly held?: () => number
  /** True while nothing is due from the peer: no deadline runs. Without it something always is. */
  readonly idle?: () => boolean
  /** True for a session that may last as long as its connection. */
  readonly lasting?: () => boolean
}

export function send(frame: FrameInit): { readonly kind: 'send'; readonly frame: FrameInit } {
  return { kind: 'send', frame }
}

export function finish<Outcome>(outcome: Outcome): { readonly kind: 'finish'; readonly outcome: Outcome } {
  return { kind: 'finish', outcome }
}

/** To go on in another turn of the event loop. */
export const NEXT_TURN = { kind: 'call', call: { kind: 'next_turn' } } as const

/** A failure the peer is to blame for. */
export function violation(why: string): Fail {
  return { kind: 'fail', failure: { kind: 'violation', why } }
}

/** What was fetched does not hold together: the peer that sent it is out of the fetch, and it counts against it. */
export function broken(why: string): Fail {
  return { kind: 'fail', failure: { kind: 'bootstrap', why } }
}

/** A frame that has no place here. */
export function unexpected(frame: Frame): Fail {
  return violation(`unexpected_${frame.case}`)
}

/** A failure that tells the peer no. */
export function refuse(refusal: net.RefusalCode, message: string): Fail {
  return { kind: 'fail', failure: { kind: 'refuse', refusal, message } }
}

/** The one answer for a store that is absent, not registered or not shared with the asker. */
export function noSuchStore(): Fail {
  return refuse(net.RefusalCode.NO_SUCH_STORE, 'no such store')
}

/** The answer to a peer that an epoch removed from a store: by which, it may ask. */
export function revoked(): Fail {
  return refuse(net.RefusalCode.REVOKED, 'this peer was removed from the store: ask an administrator')
}

/** Why a store is not for the peer any more. */
export function notShared(store: Pick<SessionStore, 'isRevoked'>): Fail {
  return store.isRevoked() ? revoked() : noSuchStore()
}

/** What a refusal is that is no answer among others. */
export function refusedBy({ code, message }: Pick<net.Refused, 'code' | 'message'>): Fail {
  return { kind: 'fail', failure: { kind: 'refused', refusal: code, message } }
}

/** What was deleted by everybody is not to be had. */
export function pruned(): Fail {
  return refuse(net.RefusalCode.PRUNED, 'the history of the store was cut above that: fetch it by its snapshot')
}

/** What the pages were of is served no more. */
export function snapshotGone(): Fail {
  return refuse(net.RefusalCode.SNAPSHOT_GONE, 'there is a later base or state by now: begin anew')
}

/** The base of the store is another than the session began with. */
export function baseMoved(): Fail {
  return refuse(net.RefusalCode.NOT_READY, 'the history of the store was cut meanwhile: begin anew')
}

/** Tells `onFinish` the outcome of a machine as it finishes. */
export function tapFinish<Outcome>(
  machine: SessionMachine<Outcome>,
  onFinish: (outcome: Outcome) => void,
): SessionMachine<Outcome> {
  const tap = (effects: Effects<Outcome>): Effects<Outcome> => {
    for (const effect of effects) {
      if (effect.kind === 'fail') break
      if (effect.kind === 'finish') onFinish(effect.outcome)
    }
    return effects
  }
  const { ended, refused } = machine
  return {
    ...machine,
    start: () => tap(machine.start()),
    receive: (frame) => tap(machine.receive(frame)),
    answered: (answer) => tap(machine.answered(answer)),
    ...(ended === undefined ? {} : { ended: () => tap(ended()) }),
    ...(refused === undefined ? {} : { refused: (frame) => tap(refused(frame)) }),
  }
}

/** The frame by which the other side learns of a failure, if it does. */
export function refusalFrameOf(failure: SessionFailure): FrameInit | undefined {
  switch (failure.kind) {
    case 'violation':
    case 'bootstrap':
      return refusedFrame(net.RefusalCode.PROTOCOL_VIOLATION, failure.why)
    case 'refuse':
      return refusedFrame(failure.refusal, failure.message)
    case 'bases':
      return failure.isTold
        ? undefined
        : refusedFrame(net.RefusalCode.BASE_UNKNOWN, 'this base of the store is not here')
    case 'refused':
    case 'lost':
      return undefined
  }
}

export function refusedFrame(code: net.RefusalCode, message: string): FrameInit {
  return { case: 'refused', value: { code, message } }
}
