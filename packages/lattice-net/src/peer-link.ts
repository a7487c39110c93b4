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
import { type BiStream, type Connection, StreamLost } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { createDeadline, orAborted } from './deadline.ts'
import { SessionFailed } from './errors.ts'
import { encodeFrame } from './frame.ts'
import { MAX_TURNED_AWAY, type NetworkLimits } from './limits.ts'
import { acceptOpening, withOpening } from './opening.ts'
import { runSession } from './run-session.ts'
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

export interface RunOptions<Outcome> {
  readonly protocol: net.Protocol
  readonly machine: SessionMachine<Outcome>
  readonly perform: (call: SessionCall) => Promise<SessionAnswer>
  /** Cuts this session alone. */
  readonly signal?: AbortSignal
  readonly onReady?: (drive: (effects: Effects<Outcome>) => void) => void
}

export interface PeerLink {
  readonly peer: PublicKey
  readonly key: IdKey
  readonly outgoing: boolean
  /** Monotonic time at which the connection began. */
  readonly sinceMs: number
  /** Aborts when the connection ends. */
  readonly signal: AbortSignal
  /** Runs a session on a stream of its own. Rejects as `runSession` does. */
  readonly run: <Outcome>(options: RunOptions<Outcome>) => Promise<Outcome>
  /** Runs a task for as long as the connection lasts; it is awaited by `close`. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void
  /** True while a session that is meant to end is under way. */
  readonly active: () => boolean
  /** Ends the connection and everything on it. Idempotent. */
  readonly close: (message: string) => Promise<void>
}

export interface PeerLinkDeps {
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly limits: NetworkLimits
  readonly nowMs: () => number
  readonly wallMs: () => number
  /** What to do on a stream of the peer that asks for a protocol. */
  readonly accept: (link: PeerLink, protocol: net.Protocol) => Accepted | Fail
  readonly onPeerWall: (link: PeerLink, wallMs: number) => void
  /** A session ended in an error. */
  readonly onError: (link: PeerLink, error: unknown) => void
  /** The connection ended; everything on it has ended too. */
  readonly onClosed: (link: PeerLink, reason: string) => void
}

/** Starts to serve a connection, within the owner's scope. */
export function createPeerLink(connection: Connection, owner: Scope, deps: PeerLinkDeps): PeerLink {
  const { scheduler, limits } = deps
  const scope = createScope(`connection ${toHex(connection.peer).slice(0, 8)}`, undefined, {
    onFailure: (error, task) => deps.logger.error('connection task failed', { task, error }),
  })
  // Sessions of this side: their callers wait for them, and so does the end of the connection.
  const runs = new Set<Promise<unknown>>()
  let active = 0
  let open = 0
  let turnedAway = 0

  async function run<Outcome>(options: RunOptions<Outcome>): Promise<Outcome> {
    const running = runOne(options)
    runs.add(running)
    try {
      return await running
    } finally {
      runs.delete(running)
    }
  }
  async function runOne<Outcome>(options: RunOptions<Outcome>): Promise<Outcome> {
    const { protocol, machine, perform, onReady } = options
    const parents = options.signal === undefined ? [scope.signal] : [scope.signal, options.signal]
    const cut = createDeadline({ parents, scheduler, waitingFor: 'a stream' })
    const opening = createDeadline({
      parents: [cut.signal],
      scheduler,
      afterMs: limits.stepDeadlineMs,
      waitingFor: 'a stream',
    })
    const lasting = machine.lasting?.() ?? false
    if (!lasting) active += 1
    try {
      const stream = await orAborted(connection.open(), opening.signal, (late) => late.reset())
      opening.release()
      return await runSession({
        stream,
        machine: withOpening(machine, {
          protocol,
          wallMs: deps.wallMs(),
          onPeerWall: (wallMs) => deps.onPeerWall(link, wallMs),
        }),
        perform,
        signal: cut.signal,
        scheduler,
        limits,
        ...(onReady === undefined ? {} : { onReady }),
      })
    } catch (error) {
      deps.onError(link, error)
      throw error
    } finally {
      if (!lasting) active -= 1
      opening.release()
      cut.release()
    }
  }

  async function serve(stream: BiStream): Promise<void> {
    let accepted: Accepted | undefined
    let counted = false
    const cut = createDeadline({ parents: [scope.signal], scheduler, waitingFor: 'a stream' })
    let leave: (() => void) | undefined
    open += 1
    try {
      const outcome = await runSession<unknown>({
        stream,
        machine: acceptOpening<unknown>({
          wallMs: deps.wallMs(),
          onPeerWall: (wallMs) => deps.onPeerWall(link, wallMs),
          select: (protocol) => {
            const selected = deps.accept(link, protocol)
            if ('kind' in selected) return selected
            accepted = selected
            counted = selected.machine.lasting?.() !== true
            if (counted) active += 1
            leave = follow(selected.signal, cut.abort)
            return selected.machine
          },
        }),
        perform: async (call) => {
          if (accepted === undefined) throw new SessionFailed('a call without a protocol')
          return accepted.perform(call)
        },
        signal: cut.signal,
        scheduler,
        limits,
      })
      accepted?.onEnd?.({ outcome })
    } catch (error) {
      accepted?.onEnd?.({ error })
      deps.onError(link, error)
    } finally {
      open -= 1
      if (counted) active -= 1
      leave?.()
      cut.release()
    }
  }

  async function turnAway(stream: BiStream): Promise<void> {
    turnedAway += 1
    try {
      await stream.write(encodeFrame(refusedFrame(net.RefusalCode.BUSY, 'too many streams at once')))
      await stream.finish()
    } catch {
      // The stream is gone, which is what was wanted.
    } finally {
      turnedAway -= 1
    }
  }

  async function acceptStreams(): Promise<void> {
    for await (const stream of connection.streams) {
      if (scope.signal.aborted) stream.reset()
      else if (open < limits.streamsPerConnection) scope.spawn('stream', () => serve(stream))
      else if (turnedAway < MAX_TURNED_AWAY) scope.spawn('turn away', () => turnAway(stream))
      else stream.reset()
    }
  }

  async function end(message: string): Promise<void> {
    await connection.close(message)
    try {
      await scope.close(new StreamLost(message))
      await Promise.allSettled(runs)
    } catch (error) {
      deps.logger.error('connection ended badly', { error })
    }
  }

  const link: PeerLink = {
    peer: connection.peer,
    key: idKey(connection.peer),
    outgoing: connection.outgoing,
    sinceMs: deps.nowMs(),
    signal: scope.signal,
    run,
    spawn: scope.spawn,
    active: () => active > 0,
    close: end,
  }
  scope.spawn('streams', async () => {
    try {
      await acceptStreams()
    } catch (error) {
      if (!isLatticeError(error)) deps.logger.warn('streams ended', { error })
    }
  })
  owner.spawn('connection', async () => {
    const reason = await connection.closed
    await end(reason.message)
    deps.onClosed(link, reason.message)
  })
  return link
}

/** Aborts with `signal` too; undefined when there is none. */
function follow(signal: AbortSignal | undefined, abort: (reason: unknown) => void): (() => void) | undefined {
  if (signal === undefined) return undefined
  const onAbort = (): void => abort(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return () => signal.removeEventListener('abort', onAbort)
}
