/**
 * One connection at work: its sessions in both directions, its deadlines, its end.
 *
 * Everything that runs on a connection is a child of its scope, so closing the connection ends all of it and waits for it.
 * What a session fails by is judged here, once: a broken protocol is reported to the owner, who decides about the peer.
 *
 * @module
 */
import {
  type AbortSignal,
  assert,
  type Cancel,
  createScope,
  type IdKey,
  idKey,
  isLatticeError,
  type Logger,
  type PublicKey,
  type Scheduler,
  type Scope,
  toHex,
} from '@lattice/model'
import { type BiStream, type CloseReason, type Connection, StreamLost } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { createDeadline, orAborted, pause } from './deadline.ts'
import type { BootstrapFailed, PeerViolation } from './errors.ts'
import { encodeFrame } from './frame.ts'
import type { HeldMemory } from './held-memory.ts'
import { createFrameGuard } from './link-guard.ts'
import { MAX_TURNED_AWAY, type NetworkLimits } from './limits.ts'
import { acceptOpening, type OpeningOptions, withOpening } from './opening.ts'
import type { PeerLedger } from './peer-ledger.ts'
import type { OverusedKind, PeerMeter } from './peer-meter.ts'
import { type Carrier, follow, type MovableEnd, runMovable, runUntilMoved } from './run-movable.ts'
import { runSession, type SessionOptions } from './run-session.ts'
import type { SessionAnswer, SessionCall } from './session-call.ts'
import { type Effects, type Fail, refusedFrame, type SessionMachine } from './session.ts'

/** What the answering side does for one stream. */
export interface Accepted {
  readonly machine: SessionMachine<unknown>
  readonly perform: (call: SessionCall) => Promise<SessionAnswer>
  /** Cuts this session alone. */
  readonly signal?: AbortSignal
  /** Told how the session ended. */
  readonly onEnd?: (end: { readonly outcome: unknown } | { readonly error: unknown }) => void
}

export interface RunOptions<Outcome> extends Pick<OpeningOptions, 'versions' | 'startsAlike'> {
  readonly protocol: net.Protocol
  readonly machine: SessionMachine<Outcome>
  readonly perform: (call: SessionCall) => Promise<SessionAnswer>
  /** Cuts this session alone. */
  readonly signal?: AbortSignal
  readonly onReady?: (drive: (effects: Effects<Outcome>) => void) => void
}

/** With whoever is connected: nothing is asked for by these. */
const OPENED_WITH_ANYBODY: ReadonlySet<net.Protocol> = new Set([
  net.Protocol.DIGEST,
  net.Protocol.GOSSIP,
  net.Protocol.PING,
])

export interface PeerLink {
  readonly peer: PublicKey
  readonly key: IdKey
  readonly outgoing: boolean
  /** Monotonic time at which the connection began. */
  readonly sinceMs: number
  /** Monotonic time at which something last came over it. */
  readonly heardMs: () => number
  /** Aborts when the connection ends. */
  readonly signal: AbortSignal
  /** Runs a session on a stream of its own. Rejects as `runSession` does. */
  readonly run: <Outcome>(options: RunOptions<Outcome>) => Promise<Outcome>
  /** As `run`, for a bulk session that can be begun anew at any time: it follows the connection to a better path. */
  readonly runMovable: <Outcome>(renew: () => RunOptions<Outcome>) => Promise<Outcome>
  /** The same for one whose owner begins it anew. */
  readonly runUntilMoved: <Outcome>(options: RunOptions<Outcome>) => Promise<MovableEnd<Outcome>>
  /** Name of the transport that takes new streams now; undefined when there is only that of the node. */
  readonly path: () => string | undefined
  /** Calls the listener when new streams go a better way from now on. */
  readonly onImproved: (listener: () => void) => Cancel
  /** Runs a task for as long as the connection lasts; it is awaited by `close`. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void
  /** True while a session that is meant to end is under way. */
  readonly active: () => boolean
  /** Monotonic time at which such a session was last under way; of the beginning of the connection before the first. */
  readonly activeMs: () => number
  /** Ends the connection and everything on it. Idempotent. */
  readonly close: (message: string) => Promise<void>
}

/** What a connection needs to know of the defence of this node. */
export interface PeerDefence extends Pick<PeerLedger, 'standing'> {
  /** What the peer has used of late, over all its connections. */
  readonly meterOf: (peer: PublicKey) => PeerMeter
  /** What all peers have held here. */
  readonly memory: HeldMemory
  /** The peer was refused for asking far too much. */
  readonly overused: (link: PeerLink, kind: OverusedKind) => void
  /** The peer was refused for being muted. */
  readonly askedWhileMuted: (link: PeerLink) => void
  /** The peer broke the protocol: told before the session ends by it. */
  readonly broke: (link: PeerLink, error: PeerViolation | BootstrapFailed) => void
}

export interface PeerLinkDeps {
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly limits: NetworkLimits
  readonly nowMs: () => number
  readonly wallMs: () => number
  /** What to do on a stream of the peer that asks for a protocol. */
  readonly accept: (link: PeerLink, protocol: net.Protocol, version: number) => Accepted | Fail
  readonly onPeerWall: (link: PeerLink, wallMs: number) => void
  /** Counts what the peer uses, and says how it is to be treated. */
  readonly defence: PeerDefence
  /** A session ended in an error. */
  readonly onError: (link: PeerLink, error: unknown) => void
  /** The connection ended; everything on it has ended too. */
  readonly onClosed: (link: PeerLink, reason: CloseReason) => void
}

/** Starts to serve a connection, within the owner's scope. */
export function createPeerLink(connection: Connection, owner: Scope, deps: PeerLinkDeps): PeerLink {
  const served = new ServedConnection(connection, deps)
  const { link } = served
  link.spawn('streams', () => served.acceptStreams())
  owner.spawn('connection', async () => {
    const reason = await connection.closed
    await link.close(reason.message)
    deps.onClosed(link, reason)
  })
  return link
}

class ServedConnection {
  readonly link: PeerLink
  readonly #connection: Connection
  readonly #deps: PeerLinkDeps
  readonly #scope: Scope
  // Sessions of this side: their callers wait for them, and so does the end of the connection.
  readonly #runs = new Set<Promise<unknown>>()
  // Sessions that are meant to end, of both sides; streams of the peer; streams being turned away.
  #active = 0
  #open = 0
  #heardMs: number
  #activeMs: number
  #turnedAway = 0
  readonly #meter: PeerMeter

  constructor(connection: Connection, deps: PeerLinkDeps) {
    this.#connection = connection
    this.#deps = deps
    this.#heardMs = deps.nowMs()
    this.#meter = deps.defence.meterOf(connection.peer)
    this.#activeMs = this.#heardMs
    this.#scope = createScope(`connection ${toHex(connection.peer).slice(0, 8)}`, undefined, {
      onFailure: (error, task) => deps.logger.error('connection task failed', { task, error }),
    })
    this.link = {
      peer: connection.peer,
      key: idKey(connection.peer),
      outgoing: connection.outgoing,
      sinceMs: this.#heardMs,
      heardMs: () => this.#heardMs,
      signal: this.#scope.signal,
      run: (options) => this.#run(options),
      runMovable: (renew) => runMovable(this.#carrier(), renew),
      runUntilMoved: (options) => runUntilMoved(this.#carrier(), options),
      path: () => connection.path?.(),
      onImproved: (listener) => connection.onImproved?.(listener) ?? (() => undefined),
      spawn: this.#scope.spawn,
      active: () => this.#active > 0,
      activeMs: () => (this.#active > 0 ? deps.nowMs() : this.#activeMs),
      close: (message) => this.#close(message),
    }
  }

  async acceptStreams(): Promise<void> {
    const { limits, logger } = this.#deps
    const { signal, spawn } = this.#scope
    try {
      for await (const stream of this.#connection.streams) {
        this.#meter.stream()
        if (signal.aborted) stream.reset()
        else if (this.#open < limits.streamsPerConnection) spawn('stream', () => this.#serve(stream))
        else if (this.#turnedAway < MAX_TURNED_AWAY) spawn('turn away', () => this.#turnAway(stream))
        else stream.reset()
        // Streams that each open a session are accepted no faster than sessions come back.
        const owedMs = this.#meter.owedMs(['streams', 'sessions'])
        if (owedMs > 0) await pause(this.#deps.scheduler, owedMs, [signal])
      }
    } catch (error) {
      if (!isLatticeError(error)) logger.warn('streams ended', { error })
    }
  }

  #carrier<Outcome>(): Carrier<RunOptions<Outcome>, Outcome> {
    return { ...this.link, run: (options) => this.#run(options), scheduler: this.#deps.scheduler }
  }

  async #run<Outcome>(options: RunOptions<Outcome>): Promise<Outcome> {
    const running = this.#runOne(options)
    this.#runs.add(running)
    try {
      return await running
    } finally {
      this.#runs.delete(running)
    }
  }

  async #runOne<Outcome>(options: RunOptions<Outcome>): Promise<Outcome> {
    const { scheduler, wallMs } = this.#deps
    const { protocol, machine, versions, startsAlike = false } = options
    const { signal: linkSignal } = this.#scope
    const parents = options.signal === undefined ? [linkSignal] : [linkSignal, options.signal]
    const cut = createDeadline({ parents, scheduler, waitingFor: 'a stream' })
    const isLasting = machine.lasting?.() ?? false
    if (!isLasting) this.#active += 1
    try {
      const stream = await this.#openStream(cut.signal)
      return await runSession({
        ...this.#sessionOptions(stream, cut.signal, { isServing: false, isAsked: !OPENED_WITH_ANYBODY.has(protocol) }),
        machine: withOpening(machine, {
          protocol,
          ...(versions === undefined ? {} : { versions }),
          startsAlike,
          wallMs: wallMs(),
          onPeerWall: (peerMs) => this.#deps.onPeerWall(this.link, peerMs),
        }),
        perform: options.perform,
        ...(options.onReady === undefined ? {} : { onReady: options.onReady }),
      })
    } catch (error) {
      this.#deps.onError(this.link, error)
      throw error
    } finally {
      if (!isLasting) this.#leave()
      cut.release()
    }
  }

  #leave(): void {
    this.#active -= 1
    this.#activeMs = this.#deps.nowMs()
  }

  async #openStream(signal: AbortSignal): Promise<BiStream> {
    const { scheduler, limits } = this.#deps
    const { stepDeadlineMs: afterMs } = limits
    const opening = createDeadline({ parents: [signal], scheduler, afterMs, waitingFor: 'a stream' })
    try {
      return await orAborted(this.#connection.open(), opening.signal, (late) => late.reset())
    } finally {
      opening.release()
    }
  }

  async #serve(stream: BiStream): Promise<void> {
    const { scheduler, wallMs } = this.#deps
    const cut = createDeadline({ parents: [this.#scope.signal], scheduler, waitingFor: 'a stream' })
    let accepted: Accepted | undefined
    let isCounted = false
    let leave: (() => void) | undefined
    const select = (protocol: net.Protocol, version: number): SessionMachine<unknown> | Fail => {
      const selected = this.#deps.accept(this.link, protocol, version)
      if ('kind' in selected) return selected
      accepted = selected
      isCounted = selected.machine.lasting?.() !== true
      if (isCounted) this.#active += 1
      leave = follow(selected.signal, cut.abort)
      return selected.machine
    }
    const perform = async (call: SessionCall): Promise<SessionAnswer> => {
      assert(accepted !== undefined, 'only a selected protocol calls')
      return accepted.perform(call)
    }
    this.#open += 1
    try {
      const onPeerWall = (peerMs: number): void => this.#deps.onPeerWall(this.link, peerMs)
      const machine = acceptOpening<unknown>({ wallMs: wallMs(), onPeerWall, select })
      const options = this.#sessionOptions(stream, cut.signal, { isServing: true, isAsked: false })
      const outcome = await runSession({ ...options, machine, perform })
      accepted?.onEnd?.({ outcome })
    } catch (error) {
      accepted?.onEnd?.({ error })
      this.#deps.onError(this.link, error)
    } finally {
      this.#open -= 1
      if (isCounted) this.#leave()
      leave?.()
      cut.release()
    }
  }

  #sessionOptions(
    stream: BiStream,
    signal: AbortSignal,
    { isServing, isAsked }: { readonly isServing: boolean; readonly isAsked: boolean },
  ): Pick<SessionOptions<unknown>, 'stream' | 'signal' | 'scheduler' | 'limits' | 'guard' | 'onBroken'> {
    const { scheduler, limits, defence } = this.#deps
    const { link } = this
    const guard = createFrameGuard({
      meter: this.#meter,
      beginHeld: (onRecalled) => defence.memory.begin({ peer: link.peer, isAsked, onRecalled }),
      isServing,
      standing: () => defence.standing(link.peer),
      onOveruse: (kind) => defence.overused(link, kind),
      onMuted: () => defence.askedWhileMuted(link),
    })
    const onBroken: SessionOptions<unknown>['onBroken'] = (error) => defence.broke(link, error)
    return { stream: this.#listened(stream), signal, scheduler, limits, guard, onBroken }
  }

  /** A stream whose every byte is a sign of life. */
  #listened(stream: BiStream): BiStream {
    return {
      read: async () => {
        const bytes = await stream.read()
        this.#heardMs = this.#deps.nowMs()
        this.#meter.bytes(bytes?.length ?? 0)
        return bytes
      },
      write: (bytes) => stream.write(bytes),
      finish: () => stream.finish(),
      reset: () => stream.reset(),
    }
  }

  async #turnAway(stream: BiStream): Promise<void> {
    const { scheduler, limits } = this.#deps
    this.#turnedAway += 1
    const cancel = scheduler.after(limits.lingerMs, stream.reset)
    try {
      await stream.write(encodeFrame(refusedFrame(net.RefusalCode.BUSY, 'too many streams at once')))
      await stream.finish()
    } catch {
      // The stream is gone, which is what was wanted.
    } finally {
      cancel()
      this.#turnedAway -= 1
    }
  }

  async #close(message: string): Promise<void> {
    await this.#connection.close(message)
    try {
      await this.#scope.close(new StreamLost(message))
    } catch (error) {
      this.#deps.logger.error('connection ended badly', { error })
    }
    await Promise.allSettled(this.#runs)
  }
}
