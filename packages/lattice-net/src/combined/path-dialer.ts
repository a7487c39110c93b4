/**
 * The dialling side of a connection over several transports: all of them are tried at once, the first that is up serves, and
 * those that are lacking are tried again for as long as the connection lasts.
 *
 * @module
 */
import {
  type AbortController,
  type AbortSignal,
  type Cancel,
  createAbortController,
  equalBytes,
  type PublicKey,
  type Random,
  type Scheduler,
} from '@lattice/model'
import {
  CONNECT_TIMEOUT_MS,
  type Connection,
  type DialOptions,
  PeerUnreachable,
  type Transport,
} from '@lattice/net-types'
import { backoffMs } from '../backoff.ts'
import { createDeadline, orAborted } from '../deadline.ts'
import { type CombinedConnection, createCombinedConnection } from './combined-connection.ts'
import { createPath, type Path } from './path.ts'
import { offerPath, PATH_NUMBER_BYTES } from './path-preface.ts'

/**
 * First pause before a path that is lacking is dialled again; doubles up to `REDIAL_MAX_MS`, since mostly it cannot work
 * where the peer is now.
 */
export const REDIAL_FIRST_MS = 5_000
/** Longest such pause: a path that works again, since the peer moved, is used within five minutes. */
export const REDIAL_MAX_MS = 300_000

export interface PathDialerDeps {
  /** The preferred one first. */
  readonly transports: readonly Transport[]
  readonly scheduler: Scheduler
  readonly random: Random
  /** Aborted when the transport closes. */
  readonly stop: AbortSignal
  readonly spawn: (name: string, task: () => Promise<void>) => void
}

/** Resolves with the first path. Rejects with {@link PeerUnreachable} when every transport failed, or `signal.reason`. */
export function dialPaths(peer: PublicKey, options: DialOptions, deps: PathDialerDeps): Promise<CombinedConnection> {
  return new PathDialer(peer, options.addresses, deps).connect(options.signal)
}

class PathDialer {
  readonly #peer: PublicKey
  readonly #addresses: readonly string[]
  readonly #deps: PathDialerDeps
  readonly #number: Uint8Array
  readonly #connection: CombinedConnection
  /** Ends every attempt: the dial was given up, or the connection has ended. */
  readonly #over: AbortController = createAbortController()
  readonly #timers = new Map<number, Cancel>()
  readonly #attempts = new Map<number, number>()
  /** Number of the peer's start, once a path has told it. */
  #startNumber: Uint8Array | undefined

  constructor(peer: PublicKey, addresses: readonly string[], deps: PathDialerDeps) {
    this.#peer = peer
    this.#addresses = addresses
    this.#deps = deps
    this.#number = deps.random.bytes(PATH_NUMBER_BYTES)
    this.#connection = createCombinedConnection({
      peer,
      outgoing: true,
      spawn: deps.spawn,
      onPathLost: (rank) => this.#redialLater(rank),
    })
  }

  async connect(signal: AbortSignal): Promise<CombinedConnection> {
    signal.throwIfAborted()
    const { transports, spawn, stop } = this.#deps
    const leave = followAbort([signal, stop], this.#over)
    const attempts = transports.map((_, rank) => this.#attempt(rank))
    try {
      await Promise.any(attempts)
    } catch (error) {
      signal.throwIfAborted()
      throw new PeerUnreachable(this.#peer, this.#addresses, { cause: new Error(this.#describe(error)) })
    } finally {
      leave()
    }
    if (signal.aborted) {
      await this.#connection.close('the dial was abandoned')
      throw signal.reason
    }
    spawn('connection', async () => {
      const unfollow = followAbort([stop], this.#over)
      await this.#connection.closed
      unfollow()
      this.#end()
    })
    for (const [rank, attempt] of attempts.entries()) attempt.catch(() => this.#redialLater(rank))
    return this.#connection
  }

  /** Dials one transport and adds its path. Rejects with why that is not to be. */
  async #attempt(rank: number): Promise<void> {
    const { scheduler, spawn } = this.#deps
    const transport = this.#deps.transports[rank]
    if (transport === undefined) return
    const parents = [this.#over.signal]
    const deadline = createDeadline({ parents, scheduler, afterMs: CONNECT_TIMEOUT_MS, waitingFor: 'a path' })
    const closeLate = (late: Connection): void => spawn('late path', () => late.close('the dial was abandoned'))
    try {
      const { signal } = deadline
      const dialling = transport.connect(this.#peer, { addresses: this.#addresses, signal })
      const connection = await orAborted(dialling, signal, closeLate)
      try {
        this.#join(rank, await orAborted(this.#agree(rank, connection), signal, () => undefined))
      } catch (error) {
        closeLate(connection)
        throw error
      }
    } finally {
      deadline.release()
    }
  }

  async #agree(rank: number, connection: Connection): Promise<Path> {
    const agreed = await offerPath(connection, this.#number)
    if (this.#startNumber !== undefined && !equalBytes(agreed.number, this.#startNumber)) {
      // Whatever paths are left lead to a node that is no more.
      this.#connection.lose('the peer has started anew')
      throw new Error('the peer has started anew')
    }
    this.#startNumber = agreed.number
    const { scheduler, transports } = this.#deps
    return createPath({ name: transports[rank]?.name ?? '', rank, agreed, scheduler })
  }

  #join(rank: number, path: Path): void {
    if (!this.#connection.add(path)) throw new Error('the connection has ended')
    this.#deps.spawn('path', async () => {
      await path.connection.closed
      this.#attempts.set(rank, 0)
    })
  }

  #redialLater(rank: number): void {
    const { scheduler, random, spawn } = this.#deps
    if (this.#over.signal.aborted || this.#timers.has(rank)) return
    const attempt = this.#attempts.get(rank) ?? 0
    this.#attempts.set(rank, attempt + 1)
    const delayMs = backoffMs(attempt, { firstMs: REDIAL_FIRST_MS, maxMs: REDIAL_MAX_MS, random })
    const cancel = scheduler.after(delayMs, () => {
      this.#timers.delete(rank)
      spawn('redial path', async () => {
        if (this.#connection.hasPath(rank)) return
        await this.#attempt(rank).catch(() => this.#redialLater(rank))
      })
    })
    this.#timers.set(rank, cancel)
  }

  #end(): void {
    this.#over.abort(new Error('the connection has ended'))
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
  }

  #describe(error: unknown): string {
    const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
    return errors.map((each, rank) => `${this.#deps.transports[rank]?.name}: ${reasonOf(each)}`).join('; ')
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof PeerUnreachable && error.cause !== undefined ? error.cause : error
  return cause instanceof Error ? cause.message : String(cause)
}

/** Aborts with the first of `parents`; until left. */
function followAbort(parents: readonly AbortSignal[], controller: AbortController): () => void {
  const leaves = parents.map((parent) => {
    const onAbort = (): void => controller.abort(parent.reason)
    if (parent.aborted) onAbort()
    else parent.addEventListener('abort', onAbort, { once: true })
    return () => parent.removeEventListener('abort', onAbort)
  })
  return () => {
    for (const leave of leaves) leave()
  }
}
