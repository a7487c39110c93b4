/**
 * The shell of every protocol: drives one machine over one stream.
 *
 * Three tasks share the machine: one reads frames, one writes them, one carries out calls. They run side by side, so two
 * peers that stream to each other at once cannot lock; each has a bound at which reading stops, so a peer that sends
 * without taking costs a few frames. Whatever is due from the peer has a deadline. When the session ends, for whatever
 * reason, all three have ended before the promise settles.
 *
 * @module
 */
import { type AbortSignal, assert, type Cancel, isLatticeError, type Scheduler } from '@lattice/model'
import { type BiStream, StreamLost } from '@lattice/net-types'
import { BootstrapFailed, PeerRefused, PeerTooSlow, PeerViolation, RefusedPeer, SessionFailed } from './errors.ts'
import { createFrameDecoder, type FrameDecoder } from './frame-decoder.ts'
import { encodeFrame, type FrameInit } from './frame.ts'
import { MAX_WAITING_CALLS, MAX_WAITING_FRAMES, type NetworkLimits } from './limits.ts'
import type { SessionAnswer, SessionCall } from './session-call.ts'
import { type Effects, refusalFrameOf, refusedFrame, type SessionFailure, type SessionMachine } from './session.ts'
import { createTurn } from './turn.ts'
import { net } from '@lattice/proto'

export interface SessionOptions<Outcome> {
  readonly stream: BiStream
  readonly machine: SessionMachine<Outcome>
  /** Carries out one call. A rejection ends the session; the peer hears of an internal error and no more. */
  readonly perform: (call: SessionCall) => Promise<SessionAnswer>
  /** Cuts the session: the stream is reset and the promise rejects with the reason. */
  readonly signal: AbortSignal
  readonly scheduler: Scheduler
  readonly limits: Pick<NetworkLimits, 'stepDeadlineMs' | 'sessionDeadlineMs' | 'lingerMs'>
  /** Given a way to hand the machine's answers to events of its own; until the session ends. */
  readonly onReady?: (drive: (effects: Effects<Outcome>) => void) => void
}

type End<Outcome> =
  | { readonly kind: 'finished'; readonly outcome: Outcome }
  | { readonly kind: 'failed'; readonly error: unknown }

interface WaitingPull {
  readonly call: SessionCall
  /** Frames written when it may go: all that were sent before it. */
  readonly afterFrame: number
}

/**
 * Resolves with the machine's outcome. Rejects with what it failed by, with {@link PeerTooSlow}, with `StreamLost`, or
 * with `signal.reason`. The stream is finished or reset in every case.
 */
export async function runSession<Outcome>(options: SessionOptions<Outcome>): Promise<Outcome> {
  const { stream, signal } = options
  if (signal.aborted) {
    stream.reset()
    throw signal.reason
  }
  const session = createSession(options)
  const onAbort = (): void => session.cut(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    session.drive(options.machine.start())
    options.onReady?.(session.drive)
    await Promise.all([session.read(), session.write(), session.carryOut()])
    const end = session.end()
    assert(end !== undefined, 'the tasks of a session end after it')
    if (end.kind === 'failed') throw end.error
    return end.outcome
  } finally {
    signal.removeEventListener('abort', onAbort)
    session.release()
  }
}

interface Session<Outcome> {
  readonly drive: (effects: Effects<Outcome>) => void
  readonly read: () => Promise<void>
  readonly write: () => Promise<void>
  readonly carryOut: () => Promise<void>
  readonly cut: (error: unknown) => void
  readonly end: () => End<Outcome> | undefined
  readonly release: () => void
}

function createSession<Outcome>(options: SessionOptions<Outcome>): Session<Outcome> {
  const { stream, machine, perform, limits, scheduler } = options
  const decoder = createFrameDecoder()
  const readable = createTurn()
  const writable = createTurn()
  const callable = createTurn()
  const frames: Uint8Array[] = []
  const calls: SessionCall[] = []
  const pulls: WaitingPull[] = []
  let sent = 0
  let written = 0
  let working = false
  let end: End<Outcome> | undefined
  let reset = false
  let endOfInput = false

  const wakeAll = (): void => {
    for (const turn of [readable, writable, callable]) turn.notify()
  }
  const resetStream = (): void => {
    reset = true
    stream.reset()
    wakeAll()
  }
  const deadlines = createDeadlines({
    scheduler,
    limits,
    isDue: () => !working && (frames.length > 0 || decoder.partial() || machine.idle?.() !== true),
    isLasting: () => machine.lasting?.() ?? false,
    onExpired: (error) => cut(error),
  })

  /** Ends the session once; a frame for the peer goes out before its side is finished. */
  function settle(how: End<Outcome>, parting?: FrameInit): void {
    if (end !== undefined) return
    end = how
    calls.length = 0
    pulls.length = 0
    if (how.kind === 'failed') frames.length = 0
    if (parting !== undefined) frames.push(encodeFrame(parting))
    deadlines.replaceByLinger(resetStream)
    wakeAll()
  }
  function cut(error: unknown): void {
    settle({ kind: 'failed', error })
    resetStream()
  }
  function fail(failure: SessionFailure): void {
    settle({ kind: 'failed', error: errorOf(failure) }, refusalFrameOf(failure))
    if (failure.kind === 'lost') resetStream()
  }

  function drive(effects: Effects<Outcome>): void {
    for (const effect of effects) {
      if (end !== undefined) return
      switch (effect.kind) {
        case 'send':
          frames.push(encodeFrame(effect.frame))
          sent += 1
          writable.notify()
          break
        case 'call':
          calls.push(effect.call)
          callable.notify()
          break
        case 'pull':
          pulls.push({ call: effect.call, afterFrame: sent })
          callable.notify()
          break
        case 'finish':
          settle({ kind: 'finished', outcome: effect.outcome })
          break
        case 'fail':
          fail(effect.failure)
          break
      }
    }
  }

  function handleInput(bytes: Uint8Array | undefined): void {
    if (bytes !== undefined) decoder.push(bytes)
    else {
      endOfInput = true
      const whole = decoder.end()
      if (!whole.ok) fail({ kind: 'violation', why: whole.error.code })
      else drive(machine.ended?.() ?? [lostEarly])
    }
  }

  async function read(): Promise<void> {
    while (!endOfInput && !reset) {
      if (end === undefined && (calls.length > MAX_WAITING_CALLS || frames.length > MAX_WAITING_FRAMES)) {
        await readable.wait()
        continue
      }
      if (end === undefined && takeFrame(decoder, { drive, fail, machine })) {
        deadlines.progress()
        continue
      }
      try {
        const bytes = await stream.read()
        // After the end only the peer's own end is waited for.
        if (end === undefined) handleInput(bytes)
        else endOfInput = bytes === undefined
      } catch (error) {
        endOfInput = true
        cut(lostBy(error))
      }
    }
  }

  async function write(): Promise<void> {
    for (;;) {
      const bytes = frames[0]
      if (reset) return
      try {
        if (bytes !== undefined) {
          await stream.write(bytes)
          if (frames[0] === bytes) frames.shift()
          written += 1
          deadlines.progress()
          readable.notify()
          callable.notify()
        } else if (end !== undefined) {
          await stream.finish()
          return
        } else await writable.wait()
      } catch (error) {
        cut(lostBy(error))
        return
      }
    }
  }

  /** The next call that may go: those that wait for frames to be written come after the others. */
  function nextCall(): SessionCall | undefined {
    if (calls.length > 0) return calls.shift()
    const [pull] = pulls
    if (pull === undefined || pull.afterFrame > written) return undefined
    pulls.shift()
    return pull.call
  }

  async function carryOut(): Promise<void> {
    while (end === undefined) {
      const call = nextCall()
      if (call === undefined) {
        await callable.wait()
        continue
      }
      try {
        working = true
        const answer = await perform(call)
        drive(machine.answered(answer))
      } catch (error) {
        settle({ kind: 'failed', error: internalError(error) }, refusedFrame(net.RefusalCode.INTERNAL, 'internal error'))
      } finally {
        working = false
        deadlines.progress()
        readable.notify()
      }
    }
  }

  return { drive, read, write, carryOut, cut, end: () => end, release: () => deadlines.cancel() }
}

const lostEarly = { kind: 'fail', failure: { kind: 'lost', why: 'the stream ended early' } } as const

/** Hands the next whole frame to the machine; false when there is none yet. */
function takeFrame<Outcome>(
  decoder: FrameDecoder,
  {
    drive,
    fail,
    machine,
  }: {
    readonly drive: (effects: Effects<Outcome>) => void
    readonly fail: (failure: SessionFailure) => void
    readonly machine: SessionMachine<Outcome>
  },
): boolean {
  const next = decoder.next()
  if (!next.ok) {
    fail({ kind: 'violation', why: next.error.code })
    return true
  }
  if (next.value === undefined) return false
  drive(machine.receive(next.value))
  return true
}

interface Deadlines {
  /** Something moved: the step deadline starts over. */
  readonly progress: () => void
  /** The session is over; the peer has the linger time to end its side. */
  readonly replaceByLinger: (onExpired: () => void) => void
  readonly cancel: () => void
}

function createDeadlines({
  scheduler,
  limits,
  isDue,
  isLasting,
  onExpired,
}: {
  readonly scheduler: Scheduler
  readonly limits: SessionOptions<unknown>['limits']
  readonly isDue: () => boolean
  readonly isLasting: () => boolean
  readonly onExpired: (error: PeerTooSlow) => void
}): Deadlines {
  let cancelStep: Cancel = () => undefined
  let over = false
  const arm = (): void => {
    cancelStep()
    cancelStep = scheduler.after(limits.stepDeadlineMs, () => {
      if (isDue()) onExpired(new PeerTooSlow(limits.stepDeadlineMs, 'the next step of a session'))
      else arm()
    })
  }
  const cancelWhole = scheduler.after(limits.sessionDeadlineMs, () => {
    if (!isLasting()) onExpired(new PeerTooSlow(limits.sessionDeadlineMs, 'the end of a session'))
  })
  const cancel = (): void => {
    over = true
    cancelStep()
    cancelWhole()
  }
  arm()
  return {
    progress: () => {
      if (!over) arm()
    },
    replaceByLinger: (onLingered) => {
      cancel()
      cancelStep = scheduler.after(limits.lingerMs, onLingered)
    },
    cancel,
  }
}

function errorOf(failure: SessionFailure): Error {
  switch (failure.kind) {
    case 'violation':
      return new PeerViolation(failure.why)
    case 'refuse':
      return new RefusedPeer(failure.refusal, failure.message)
    case 'refused':
      return new PeerRefused(failure.refusal, failure.message)
    case 'bootstrap':
      return new BootstrapFailed(failure.why)
    case 'lost':
      return new StreamLost(failure.why)
  }
}

function lostBy(error: unknown): unknown {
  return isLatticeError(error) ? error : new StreamLost('the stream was reset', { cause: error })
}

function internalError(error: unknown): unknown {
  return isLatticeError(error) ? error : new SessionFailed('a session failed on this node', { cause: error })
}
