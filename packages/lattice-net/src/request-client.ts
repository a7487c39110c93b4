/**
 * The asking side of a protocol of requests: sends them, hands each answer to whoever asked, ends when nothing is open.
 *
 * A few requests may be open at once, so that a round trip costs no pause; answers come in the order of the requests. What
 * an answer is worth, the owner says: it checks each frame as it comes, and its verdict ends the session.
 *
 * @module
 */
import { assert } from '@lattice/model'
import type { Frame, FrameInit } from './frame.ts'
import { type Effect, type Effects, type Fail, finish, send, type SessionMachine, unexpected } from './session.ts'

/** What one frame brings of an answer. */
export interface AnswerPart<Answer> {
  /** Undefined while more frames are needed to make sense of it. */
  readonly answer: Answer | undefined
  /** Nothing more follows for the request. */
  readonly isWhole: boolean
}

export interface RequestClientOptions<Request, Answer> {
  /** Sent with the opening; at least one. */
  readonly requests: readonly Request[]
  readonly toFrame: (request: Request) => FrameInit
  /** Reads one frame of the answer to a request; undefined for one that is none, a failure for one that is broken. */
  readonly read: (request: Request, frame: Frame) => AnswerPart<Answer> | Fail | undefined
  /** Takes what came for the oldest open request, and says what to do about it. */
  readonly onAnswer: (answer: Answer) => readonly (Effect<never> & { readonly kind: 'call' | 'fail' })[]
  /** Bytes that are kept of an answer that is not whole. */
  readonly held?: () => number
}

export interface RequestClient<Request> extends SessionMachine<void> {
  /** Asks for more; undefined once the session is over: another is needed. */
  readonly ask: (request: Request) => Effects<void> | undefined
  readonly isOver: () => boolean
}

/** Finishes as soon as everything that was asked for has been answered and taken in. */
export function createRequestClient<Request, Answer>(
  options: RequestClientOptions<Request, Answer>,
): RequestClient<Request> {
  const { requests, toFrame, read, onAnswer, held } = options
  assert(requests.length > 0, 'a session has something to ask')
  // Requests that are not answered yet, in the order in which they were sent.
  const open: Request[] = [...requests]
  let isStarted = false
  let isOver = false
  let calls = 0
  const toSend = (request: Request): Effect<void> => send(toFrame(request))

  function end(effects: Effects<void>): Effects<void> {
    if (open.length === 0 && calls === 0) isOver = true
    return isOver ? [...effects, finish(undefined)] : effects
  }
  function fail(failure: Fail): Effects<void> {
    isOver = true
    return [failure]
  }
  function take({ answer, isWhole }: AnswerPart<Answer>): Effects<void> {
    if (isWhole) open.shift()
    const verdict = answer === undefined ? [] : onAnswer(answer)
    const broken = verdict.find((effect) => effect.kind === 'fail')
    if (broken !== undefined) return fail(broken)
    calls += verdict.length
    return end(verdict)
  }
  function receive(frame: Frame): Effects<void> {
    const [request] = open
    const part = request === undefined ? undefined : read(request, frame)
    if (part === undefined) return fail(unexpected(frame))
    return 'kind' in part ? fail(part) : take(part)
  }
  return {
    ask: (request) => {
      if (isOver) return undefined
      open.push(request)
      return isStarted ? [toSend(request)] : []
    },
    isOver: () => isOver,
    start: () => {
      isStarted = true
      return open.map(toSend)
    },
    receive,
    answered: () => {
      calls -= 1
      return end([])
    },
    idle: () => open.length === 0,
    ...(held === undefined ? {} : { held }),
  }
}
