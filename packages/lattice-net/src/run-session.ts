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
import { type AbortSignal, assert, concatBytes, isLatticeError, type Scheduler } from '@lattice/model'
import { type BiStream, StreamLost } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { BasesDiffer, BootstrapFailed, PeerRefused, PeerViolation, RefusedPeer, SessionFailed } from './errors.ts'
import { createFrameDecoder, type FrameDecoder } from './frame-decoder.ts'
import { encodeFrame, type FrameInit } from './frame.ts'
import type { FrameGuard, FrameRefusal } from './link-guard.ts'
import { MAX_WAITING_CALLS, MAX_WAITING_FRAMES, type NetworkLimits, WRITE_BATCH_BYTES } from './limits.ts'
import type { SessionAnswer, SessionCall } from './session-call.ts'
import { createDeadlines, type Deadlines } from './session-deadlines.ts'
import {
  type Effect,
  type Effects,
  refusalFrameOf,
  refusedFrame,
  type SessionFailure,
  type SessionMachine,
} from './session.ts'
import { createTurn, type Turn } from './turn.ts'

export interface SessionOptions<Outcome> {
  readonly stream: BiStream
  readonly machine: SessionMachine<Outcome>
  /** Carries out one call. A rejection ends the session; the peer hears of an internal error and no more. */
  readonly perform: (call: SessionCall) => Promise<SessionAnswer>
  /** Cuts the session: the stream is reset and the promise rejects with the reason. */
  readonly signal: AbortSignal
  readonly scheduler: Scheduler
  readonly limits: Pick<NetworkLimits, 'stepDeadlineMs' | 'sessionDeadlineMs' | 'lingerMs'>
  /** Asked with every frame, before the machine is. Nothing is counted without it. */
  readonly guard?: FrameGuard
  /** Told at once that the peer broke the protocol; the session ends once that was said, and the peer has left, or not. */
  readonly onBroken?: (error: PeerViolation | BootstrapFailed) => void
  /** Given a way to hand the machine's answers to events of its own; until the session ends. */
  readonly onReady?: (drive: (effects: Effects<Outcome>) => void) => void
}

type End<Outcome> =
  | { readonly kind: 'finished'; readonly outcome: Outcome }
  | { readonly kind: 'failed'; readonly error: unknown }

interface WaitingCall {
  readonly call: SessionCall
  /** Of the frame by which it came. */
  readonly bytes: number
}

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
  const run = new SessionRun(options)
  const onAbort = (): void => run.cut(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await run.toEnd()
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** One session under way. */
class SessionRun<Outcome> {
  readonly #options: SessionOptions<Outcome>
  readonly #deadlines: Deadlines
  readonly #decoder: FrameDecoder = createFrameDecoder()
  readonly #readable: Turn = createTurn()
  readonly #writable: Turn = createTurn()
  readonly #callable: Turn = createTurn()
  readonly #frames: Uint8Array[] = []
  readonly #calls: WaitingCall[] = []
  readonly #pulls: WaitingPull[] = []
  /** Bytes of the frame that the machine is being told, and of that by which the call under way came. */
  #told = 0
  #underWay = 0
  #sent = 0
  #written = 0
  #working = false
  /** The peer has used too much, and nothing more of it is read yet. */
  #holding = false
  #end: End<Outcome> | undefined
  #reset = false
  #endOfInput = false

  constructor(options: SessionOptions<Outcome>) {
    const { scheduler, limits, machine } = options
    this.#options = options
    this.#deadlines = createDeadlines({
      scheduler,
      limits,
      isDue: () =>
        !this.#working &&
        !this.#holding &&
        (this.#frames.length > 0 || this.#decoder.partial() || machine.idle?.() !== true),
      isLasting: () => machine.lasting?.() ?? false,
      onExpired: (error) => this.cut(error),
    })
    options.guard?.onRecalled((refusal) => this.#refuse(refusal))
  }

  async toEnd(): Promise<Outcome> {
    const { machine, onReady } = this.#options
    try {
      this.#drive(() => machine.start())
      onReady?.((effects) => this.#drive(() => effects))
      await Promise.all([this.#read(), this.#write(), this.#carryOut()])
    } finally {
      this.#deadlines.cancel()
      this.#options.guard?.ended(0)
    }
    const end = this.#end
    assert(end !== undefined, 'the tasks of a session end after it')
    if (end.kind === 'failed') throw end.error
    return end.outcome
  }

  /** Ends the session without a word to the peer. */
  cut(error: unknown): void {
    this.#settle({ kind: 'failed', error })
    this.#resetStream()
  }

  /** Ends the session once; a parting frame goes out before this side is finished. */
  #settle(end: End<Outcome>, parting?: FrameInit): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#calls.length = 0
    this.#pulls.length = 0
    if (end.kind === 'failed') this.#frames.length = 0
    this.#decoder.drop()
    this.#options.guard?.ended(this.#heldBytes())
    if (parting !== undefined) this.#frames.push(encodeFrame(parting))
    this.#deadlines.replaceByLinger(() => this.#resetStream())
    this.#wakeAll()
  }
  #refuse({ code, message }: FrameRefusal): void {
    this.#fail({ kind: 'refuse', refusal: code, message })
  }
  #fail(failure: SessionFailure): void {
    const error = errorOf(failure)
    const isFirst = this.#end === undefined
    this.#settle({ kind: 'failed', error }, refusalFrameOf(failure))
    const isBroken = error instanceof PeerViolation || error instanceof BootstrapFailed
    if (isFirst && isBroken) this.#options.onBroken?.(error)
    if (failure.kind === 'lost') this.#resetStream()
  }
  /** Something failed here: the peer hears of it, but not what. */
  #failInternally(error: unknown): void {
    this.#settle(
      { kind: 'failed', error: internalError(error) },
      refusedFrame(net.RefusalCode.INTERNAL, 'internal error'),
    )
  }
  #resetStream(): void {
    this.#reset = true
    this.#options.stream.reset()
    this.#wakeAll()
  }
  #wakeAll(): void {
    for (const turn of [this.#readable, this.#writable, this.#callable]) turn.notify()
  }

  /** Carries out what the machine answers; a machine that throws ends the session, not its shell. */
  #drive(step: () => Effects<Outcome>): void {
    if (this.#end !== undefined) return
    try {
      for (const effect of step()) {
        this.#carry(effect)
        if (effect.kind === 'finish' || effect.kind === 'fail') return
      }
    } catch (error) {
      this.#failInternally(error)
    }
  }
  #carry(effect: Effect<Outcome>): void {
    switch (effect.kind) {
      case 'send':
        this.#frames.push(encodeFrame(effect.frame))
        this.#sent += 1
        this.#writable.notify()
        break
      case 'call':
        this.#calls.push({ call: effect.call, bytes: this.#told })
        this.#told = 0
        this.#callable.notify()
        break
      case 'pull':
        this.#pulls.push({ call: effect.call, afterFrame: this.#sent })
        this.#callable.notify()
        break
      case 'finish':
        this.#settle({ kind: 'finished', outcome: effect.outcome })
        break
      case 'fail':
        this.#fail(effect.failure)
        break
    }
  }

  async #read(): Promise<void> {
    while (!this.#endOfInput && !this.#reset) {
      if (this.#end === undefined && this.#isLoaded()) await this.#readable.wait()
      else if (this.#end === undefined && this.#owedMs() > 0) await this.#hold(this.#owedMs())
      else if (this.#end === undefined && this.#takeFrame()) this.#deadlines.progress()
      else await this.#readBytes()
    }
  }
  #isLoaded(): boolean {
    return this.#calls.length > MAX_WAITING_CALLS || this.#frames.length > MAX_WAITING_FRAMES
  }
  #owedMs(): number {
    return this.#options.guard?.owedMs() ?? 0
  }
  /** Reads nothing for so long, or until the session ends: the peer's transport slows it down. No fault of either side. */
  async #hold(forMs: number): Promise<void> {
    this.#holding = true
    const cancel = this.#options.scheduler.after(forMs, this.#readable.notify)
    await this.#readable.wait()
    cancel()
    this.#holding = false
    this.#deadlines.progress()
  }
  /** Hands the next whole frame to the machine; false when there is none yet. */
  #takeFrame(): boolean {
    const held = this.#decoder.held()
    const next = this.#decoder.next()
    if (!next.ok) {
      this.#fail({ kind: 'violation', why: next.error.code })
      return true
    }
    const frame = next.value
    if (frame === undefined) return false
    const refusal = this.#options.guard?.frame(frame)
    if (refusal !== undefined) {
      this.#refuse(refusal)
      return true
    }
    this.#told = held - this.#decoder.held()
    this.#drive(() => this.#options.machine.receive(frame))
    this.#told = 0
    this.#tellHeld()
    return true
  }
  /** Tells what of the peer's is held here now; the session ends where that is too much. */
  #tellHeld(): void {
    const { guard } = this.#options
    if (this.#end !== undefined || guard === undefined) return
    const refusal = guard.holds(this.#heldBytes())
    if (refusal !== undefined) this.#refuse(refusal)
  }
  #heldBytes(): number {
    let bytes = this.#decoder.held() + this.#underWay + (this.#options.machine.held?.() ?? 0)
    for (const frame of this.#frames) bytes += frame.length
    for (const call of this.#calls) bytes += call.bytes
    return bytes
  }
  async #readBytes(): Promise<void> {
    const { stream, machine } = this.#options
    try {
      const bytes = await stream.read()
      if (bytes !== undefined) {
        // After the end only the peer's own end is waited for.
        if (this.#end === undefined) this.#decoder.push(bytes)
        this.#tellHeld()
        return
      }
      this.#endOfInput = true
      const whole = this.#decoder.end()
      if (!whole.ok) this.#fail({ kind: 'violation', why: whole.error.code })
      else this.#drive(() => machine.ended?.() ?? [lostEarly])
    } catch (error) {
      this.#endOfInput = true
      this.cut(lostBy(error))
    }
  }

  async #write(): Promise<void> {
    const { stream } = this.#options
    while (!this.#reset) {
      const batch = this.#nextBatch()
      const [first] = batch
      try {
        if (first !== undefined) {
          await stream.write(batch.length === 1 ? first : concatBytes(...batch))
          this.#onWritten(batch)
        } else if (this.#end === undefined) await this.#writable.wait()
        else {
          await stream.finish()
          return
        }
      } catch (error) {
        this.cut(lostBy(error))
      }
    }
  }
  /** The frames that wait, as far as they go into one write: small ones are many, and each write has its price. */
  #nextBatch(): readonly Uint8Array[] {
    let bytes = 0
    const end = this.#frames.findIndex((frame) => (bytes += frame.length) > WRITE_BATCH_BYTES)
    return end === -1 ? [...this.#frames] : this.#frames.slice(0, Math.max(1, end))
  }
  #onWritten(batch: readonly Uint8Array[]): void {
    // What waited is gone when the session failed meanwhile.
    if (this.#frames[0] === batch[0]) this.#frames.splice(0, batch.length)
    this.#written += batch.length
    this.#tellHeld()
    this.#deadlines.progress()
    this.#readable.notify()
    this.#callable.notify()
  }

  async #carryOut(): Promise<void> {
    while (this.#end === undefined) {
      const call = this.#nextCall()
      if (call === undefined) {
        await this.#callable.wait()
        continue
      }
      this.#working = true
      try {
        const answer = await this.#options.perform(call)
        this.#drive(() => this.#options.machine.answered(answer))
      } catch (error) {
        this.#failInternally(error)
      }
      this.#working = false
      this.#underWay = 0
      this.#tellHeld()
      this.#deadlines.progress()
      this.#readable.notify()
    }
  }
  /** The next call that may go: those that wait for frames to be written come after the others. */
  #nextCall(): SessionCall | undefined {
    const next = this.#calls.shift()
    this.#underWay = next?.bytes ?? 0
    if (next !== undefined) return next.call
    const [pull] = this.#pulls
    if (pull === undefined || pull.afterFrame > this.#written) return undefined
    this.#pulls.shift()
    return pull.call
  }
}

const lostEarly = { kind: 'fail', failure: { kind: 'lost', why: 'the stream ended early' } } as const

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
    case 'bases':
      return new BasesDiffer(failure)
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
