/**
 * The asking side of the log of one peer: sends requests, hands each answer to whoever asked, ends when nothing is open.
 *
 * A few requests may be open at once, so that a round trip costs no pause; answers come in the order of the requests. What
 * an answer is worth, the owner says: it checks each frame as it comes, and its verdict ends the session.
 *
 * @module
 */
import { assert, type IntentionId, readIntentionId, type SignedIntention, type StoreId } from '@lattice/model'
import type { net } from '@lattice/proto'
import { type Frame, type FrameInit, fromWire } from './frame.ts'
import { type Effect, type Effects, type Fail, finish, send, type SessionMachine, unexpected, violation } from './session.ts'

/** What a peer can be asked for of its log. */
export type LogRequest =
  | { readonly kind: 'page'; readonly fromSeq: number; readonly limit: number }
  | { readonly kind: 'ids'; readonly ids: readonly IntentionId[] }
  | {
      readonly kind: 'chain'
      readonly target: IntentionId
      /** Empty: as far as the limit reaches. */
      readonly since: IntentionId | undefined
      readonly limit: number
    }

/** One frame of an answer. */
export type LogAnswer =
  | { readonly kind: 'page'; readonly page: net.WitnessPage }
  | {
      readonly kind: 'intentions'
      readonly intentions: readonly SignedIntention[]
      readonly last: boolean
      /** Below which the peer keeps nothing, where it said so. */
      readonly base: IntentionId | undefined
    }

export interface LogClientOptions {
  readonly storeId: StoreId
  /** Sent with the opening; at least one. */
  readonly requests: readonly LogRequest[]
  /** Takes one frame of the answer to the oldest open request, and says what to do about it. */
  readonly onAnswer: (answer: LogAnswer) => readonly (Effect<never> & { readonly kind: 'call' | 'fail' })[]
}

export interface LogClient extends SessionMachine<void> {
  /** Asks for more; undefined once the session is over: another is needed. */
  readonly ask: (request: LogRequest) => Effects<void> | undefined
  readonly isOver: () => boolean
}

/** Finishes as soon as everything that was asked for has been answered and taken in. */
export function createLogClient({ storeId, requests, onAnswer }: LogClientOptions): LogClient {
  assert(requests.length > 0, 'a log is read for something')
  // Requests that are not answered yet, in the order in which they were sent.
  const open: LogRequest[] = [...requests]
  let isStarted = false
  let isOver = false
  let calls = 0

  const toFrame = (request: LogRequest): Effect<void> => send(requestFrame(storeId, request))
  function end(effects: Effects<void>): Effects<void> {
    if (open.length === 0 && calls === 0) isOver = true
    return isOver ? [...effects, finish(undefined)] : effects
  }
  function fail(failure: Fail): Effects<void> {
    isOver = true
    return [failure]
  }
  function take(answer: LogAnswer, isWhole: boolean): Effects<void> {
    if (isWhole) open.shift()
    const verdict = onAnswer(answer)
    const broken = verdict.find((effect) => effect.kind === 'fail')
    if (broken !== undefined) return fail(broken)
    calls += verdict.length
    return end(verdict)
  }
  function receive(frame: Frame): Effects<void> {
    const [request] = open
    if (request === undefined) return fail(unexpected(frame))
    if (frame.case === 'witnessPage' && request.kind === 'page') return take({ kind: 'page', page: frame.value }, true)
    if (frame.case === 'intentions' && request.kind !== 'page') {
      const { intentions, last, base: bytes } = frame.value
      const base = readIntentionId(bytes)
      if (base === undefined && bytes.length > 0) return fail(violation('intentions_base_malformed'))
      return take({ kind: 'intentions', intentions: fromWire(intentions), last, base }, last)
    }
    return fail(unexpected(frame))
  }

  return {
    ask: (request) => {
      if (isOver) return undefined
      open.push(request)
      return isStarted ? [toFrame(request)] : []
    },
    isOver: () => isOver,
    start: () => {
      isStarted = true
      return open.map(toFrame)
    },
    receive,
    answered: () => {
      calls -= 1
      return end([])
    },
    idle: () => open.length === 0,
  }
}

function requestFrame(storeId: StoreId, request: LogRequest): FrameInit {
  switch (request.kind) {
    case 'page':
      return {
        case: 'witnessPageRequest',
        value: { storeId, fromSeq: BigInt(request.fromSeq), limit: request.limit },
      }
    case 'ids':
      return { case: 'fetchIntentions', value: { storeId, ids: [...request.ids] } }
    case 'chain': {
      const { target, since, limit } = request
      return { case: 'fetchChain', value: { storeId, target, since: since ?? new Uint8Array(0), limit } }
    }
  }
}
