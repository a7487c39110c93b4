/**
 * Keeps connections to the peers that are wanted, and makes others when asked.
 *
 * A wanted peer is dialled whenever there is no connection to it, at growing, jittered intervals while that fails. A
 * connection the peer makes ends the wait, and so does finding the peer, as often as a budget allows. One dial per peer is
 * under way at a time, whoever asked.
 *
 * @module
 */
import {
  type AbortSignal,
  type Cancel,
  type Clock,
  type IdKey,
  idKey,
  isLatticeError,
  type LatticeErrorCode,
  type PublicKey,
  type Random,
  type Scheduler,
} from '@lattice/model'
import { type Connection, PeerUnreachable, type Transport } from '@lattice/net-types'
import { backoffMs, jitterMs } from './backoff.ts'
import { createDeadline, orAborted } from './deadline.ts'
import { createDialBudget, type DialBudget } from './dial-budget.ts'
import { dialPeer } from './dial-peer.ts'
import { printable } from './errors.ts'
import { type NetworkLimits, STABLE_CONNECTION_MS } from './limits.ts'
import { mergeAddresses } from './merge-addresses.ts'
import type { PeerFinder } from './peer-finder.ts'

export interface Dialer {
  /** Replaces the addresses when some are given. Idempotent. */
  readonly want: (peer: PublicKey, addresses: readonly string[]) => void
  readonly unwant: (peer: PublicKey) => void
  readonly isWanted: (peer: PublicKey) => boolean
  /** How dialling a wanted peer goes; undefined for any other. */
  readonly state: (peer: PublicKey) => DialState | undefined
  /** Dials now, or after the one that is under way; resolves when the connection has been handed over. Rejects as the transport does. */
  readonly dial: (peer: PublicKey, addresses: readonly string[], signal: AbortSignal) => Promise<void>
  readonly onUp: (peer: PublicKey) => void
  /** What kept dials from going through may be gone: whoever waits for one is dialled within `spreadMs`. */
  readonly hurry: (spreadMs: number) => void
  /** The peer is gone after a connection that lasted `lastedMs`. */
  readonly onDown: (peer: PublicKey, lastedMs: number) => void
  readonly close: () => void
}

/** A dial that came to nothing. */
export interface DialFailure {
  readonly code: LatticeErrorCode
  readonly message: string
  /** Wall time of its end. */
  readonly atMs: number
  /** Where it tried; where the transport looks by itself is not among them. */
  readonly addresses: readonly string[]
}

export interface DialState {
  /** Dials in a row that failed, or made a connection that did not last. */
  readonly attempts: number
  /** The last one, since there was a connection. */
  readonly lastFailure: DialFailure | undefined
  /** Wall time of the next one; undefined while none is due. */
  readonly nextAtMs: number | undefined
}

export interface DialerOptions {
  readonly transport: Transport
  readonly finder: PeerFinder
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
  readonly limits: Pick<NetworkLimits, 'dialDeadlineMs' | 'dialBackoffMs' | 'dialBackoffMaxMs'>
  readonly signal: AbortSignal
  readonly isConnected: (peer: PublicKey) => boolean
  /** Where else a wanted peer may be reached. */
  readonly addressesOf: (peer: PublicKey) => readonly string[]
  /** Milliseconds the peer is shut out for. */
  readonly mutedForMs: (peer: PublicKey) => number
  readonly onConnection: (connection: Connection) => void
  /** Runs a background task. */
  readonly spawn: (name: string, task: () => Promise<void>) => void
  readonly onFailure: (peer: PublicKey, error: unknown) => void
}

interface Wanted {
  readonly peer: PublicKey
  addresses: readonly string[]
  attempts: number
  cancel: Cancel | undefined
  /** Set while it is looked for, which is as long as it is not connected. */
  endSearch: Cancel | undefined
  readonly budget: DialBudget
  lastFailure: DialFailure | undefined
  /** Monotonic time of the next dial, while `cancel` is set. */
  dueAtMs: number
}

/** Starts without wishes. */
export function createDialer(options: DialerOptions): Dialer {
  const wishes = new Wishes(options)
  return {
    want: (peer, addresses) => wishes.want(peer, addresses),
    unwant: (peer) => wishes.unwant(peer),
    isWanted: (peer) => wishes.isWanted(peer),
    state: (peer) => wishes.state(peer),
    dial: (peer, addresses, signal) => orAborted(wishes.dialNow(peer, addresses), signal, () => undefined),
    onUp: (peer) => wishes.rest(peer),
    hurry: (spreadMs) => wishes.hurry(spreadMs),
    onDown: (peer, lastedMs) => wishes.resume(peer, lastedMs),
    close: () => wishes.clear(),
  }
}

class Wishes {
  readonly #options: DialerOptions
  readonly #wanted = new Map<IdKey, Wanted>()
  readonly #dials = new Map<IdKey, Promise<void>>()

  constructor(options: DialerOptions) {
    this.#options = options
  }

  want(peer: PublicKey, addresses: readonly string[]): void {
    const key = idKey(peer)
    const known = this.#wanted.get(key)
    if (known !== undefined) {
      if (addresses.length > 0) known.addresses = [...addresses]
      return
    }
    const wanted: Wanted = {
      peer,
      addresses: [...addresses],
      attempts: 0,
      cancel: undefined,
      endSearch: undefined,
      budget: createDialBudget(this.#options.clock.monotonicMs),
      lastFailure: undefined,
      dueAtMs: 0,
    }
    this.#wanted.set(key, wanted)
    if (!this.#options.isConnected(peer)) this.#seek(wanted)
    if (this.#options.mutedForMs(peer) > 0) this.#schedule(wanted)
    else this.#options.spawn('dial', () => this.#attempt(wanted))
  }
  unwant(peer: PublicKey): void {
    this.rest(peer)
    this.#wanted.delete(idKey(peer))
  }
  isWanted(peer: PublicKey): boolean {
    return this.#wanted.has(idKey(peer))
  }
  state(peer: PublicKey): DialState | undefined {
    const wanted = this.#wanted.get(idKey(peer))
    if (wanted === undefined) return undefined
    const { attempts, lastFailure, cancel, dueAtMs } = wanted
    const { wallMs, monotonicMs } = this.#options.clock
    return { attempts, lastFailure, nextAtMs: cancel && wallMs() + Math.max(0, dueAtMs - monotonicMs()) }
  }
  /** There is a connection: no dial is due. */
  rest(peer: PublicKey): void {
    const wanted = this.#wanted.get(idKey(peer))
    if (wanted === undefined) return
    wanted.lastFailure = undefined
    wanted.cancel?.()
    wanted.cancel = undefined
    wanted.endSearch?.()
    wanted.endSearch = undefined
  }
  resume(peer: PublicKey, lastedMs: number): void {
    const wanted = this.#wanted.get(idKey(peer))
    if (wanted === undefined) return
    wanted.attempts = lastedMs >= STABLE_CONNECTION_MS ? 0 : wanted.attempts + 1
    this.#schedule(wanted)
    this.#seek(wanted)
  }
  hurry(spreadMs: number): void {
    for (const wanted of this.#wanted.values()) {
      wanted.attempts = 0
      if (wanted.cancel !== undefined) this.#arm(wanted, jitterMs(spreadMs, this.#options.random))
    }
  }
  clear(): void {
    for (const wanted of this.#wanted.values()) {
      wanted.cancel?.()
      wanted.endSearch?.()
    }
    this.#wanted.clear()
  }
  /**
   * One that is under way may have begun before the peer was there, and elsewhere: where it fails this is another, unless the
   * peer has come meanwhile.
   */
  async dialNow(peer: PublicKey, addresses: readonly string[]): Promise<void> {
    const current = this.#dials.get(idKey(peer))
    const isMade = await current?.then(
      () => true,
      () => false,
    )
    const isThere = isMade === true || (isMade === false && this.#options.isConnected(peer))
    if (!isThere) await this.dialOnce(peer, addresses)
  }
  dialOnce(peer: PublicKey, addresses: readonly string[]): Promise<void> {
    const key = idKey(peer)
    const current = this.#dials.get(key)
    if (current !== undefined) return current
    const dial = this.#connect(peer, addresses).finally(() => this.#dials.delete(key))
    this.#dials.set(key, dial)
    return dial
  }

  async #connect(peer: PublicKey, addresses: readonly string[]): Promise<void> {
    const { transport, finder, clock, scheduler, limits, onConnection, spawn } = this.#options
    const deadline = createDeadline({
      parents: [this.#options.signal],
      scheduler,
      afterMs: limits.dialDeadlineMs,
      waitingFor: 'a connection',
    })
    try {
      const connection = await dialPeer(peer, addresses, {
        transport,
        finder,
        scheduler,
        nowMs: clock.monotonicMs,
        signal: deadline.signal,
        closeLate: (late) => spawn('late dial', () => late.close('too late')),
      })
      onConnection(connection)
    } finally {
      deadline.release()
    }
  }
  /** Looks for a peer that is away. */
  #seek(wanted: Wanted): void {
    wanted.endSearch ??= this.#options.finder.seek(wanted.peer, () => this.#found(wanted))
  }
  /** A dial that waits is made now; one under way takes what was found in by itself. */
  #found(wanted: Wanted): void {
    const { mutedForMs, spawn } = this.#options
    if (wanted.cancel === undefined || mutedForMs(wanted.peer) > 0 || !wanted.budget.take()) return
    wanted.cancel()
    wanted.cancel = undefined
    spawn('dial', () => this.#attempt(wanted, { isHurried: true }))
  }
  async #attempt(wanted: Wanted, { isHurried = false } = {}): Promise<void> {
    const { isConnected, signal } = this.#options
    if (isConnected(wanted.peer) || signal.aborted) return
    const addresses = this.#knownOf(wanted)
    let failure: unknown
    try {
      await this.dialOnce(wanted.peer, addresses)
      if (isConnected(wanted.peer)) return
      // Made, and not taken in.
    } catch (error) {
      if (signal.aborted) return
      failure = error
    }
    // A hint that led nowhere does not hold the next dial back: it may have been forged.
    if (!isHurried) wanted.attempts += 1
    this.#failed(wanted, failure)
  }
  /** Where whoever wants it says it is, else where it was. */
  #knownOf({ peer, addresses }: Wanted): readonly string[] {
    return addresses.length > 0 ? addresses : this.#options.addressesOf(peer)
  }
  #failed(wanted: Wanted, error: unknown): void {
    const { clock, finder } = this.#options
    wanted.lastFailure = {
      code: isLatticeError(error) ? error.code : 'PEER_UNREACHABLE',
      message: printable(describeFailure(error)),
      atMs: clock.wallMs(),
      addresses: mergeAddresses(this.#knownOf(wanted), finder.addresses(wanted.peer)),
    }
    this.#schedule(wanted)
    this.#options.onFailure(wanted.peer, error)
  }
  #schedule(wanted: Wanted): void {
    const { random, limits, signal } = this.#options
    if (this.#wanted.get(idKey(wanted.peer)) !== wanted || signal.aborted) return
    const { dialBackoffMs: firstMs, dialBackoffMaxMs: maxMs } = limits
    this.#arm(wanted, backoffMs(wanted.attempts, { firstMs, maxMs, random }))
  }
  /** Never before the peer is welcome again. */
  #arm(wanted: Wanted, pauseMs: number): void {
    const { scheduler, clock, mutedForMs, spawn } = this.#options
    wanted.cancel?.()
    const delayMs = Math.max(pauseMs, mutedForMs(wanted.peer))
    wanted.dueAtMs = clock.monotonicMs() + delayMs
    wanted.cancel = scheduler.after(delayMs, () => {
      wanted.cancel = undefined
      spawn('dial', () => this.#attempt(wanted))
    })
  }
}

/** What is behind it: that the peer was not reached is known. */
function describeFailure(error: unknown): string {
  if (error === undefined) return 'a connection was made and not kept: there was no room for it'
  if (error instanceof PeerUnreachable) return error.cause instanceof Error ? error.cause.message : 'nobody answered'
  return error instanceof Error ? error.message : 'it ended for a reason that is not known'
}
