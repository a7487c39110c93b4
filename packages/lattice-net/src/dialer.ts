/**
 * Keeps connections to the peers that are wanted, and makes others when asked.
 *
 * A wanted peer is dialled whenever there is no connection to it, at growing, jittered intervals while that fails. A
 * connection the peer makes ends the wait. One dial per peer is under way at a time, whoever asked.
 *
 * @module
 */
import {
  type AbortSignal,
  type Cancel,
  type IdKey,
  idKey,
  type PublicKey,
  type Random,
  type Scheduler,
} from '@lattice/model'
import type { Connection, Transport } from '@lattice/net-types'
import { backoffMs } from './backoff.ts'
import { createDeadline, orAborted } from './deadline.ts'
import { type NetworkLimits, STABLE_CONNECTION_MS } from './limits.ts'

export interface Dialer {
  /** Replaces the addresses when some are given. Idempotent. */
  readonly want: (peer: PublicKey, addresses: readonly string[]) => void
  readonly unwant: (peer: PublicKey) => void
  readonly isWanted: (peer: PublicKey) => boolean
  /** Dials now; resolves when the connection has been handed over. Rejects as the transport does. */
  readonly dial: (peer: PublicKey, addresses: readonly string[], signal: AbortSignal) => Promise<void>
  readonly onUp: (peer: PublicKey) => void
  /** The peer is gone after a connection that lasted `lastedMs`. */
  readonly onDown: (peer: PublicKey, lastedMs: number) => void
  readonly close: () => void
}

export interface DialerOptions {
  readonly transport: Transport
  readonly scheduler: Scheduler
  readonly random: Random
  readonly limits: Pick<NetworkLimits, 'dialDeadlineMs' | 'dialBackoffMs' | 'dialBackoffMaxMs'>
  readonly signal: AbortSignal
  readonly isConnected: (peer: PublicKey) => boolean
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
}

/** Starts without wishes. */
export function createDialer(options: DialerOptions): Dialer {
  const { transport, scheduler, random, limits, isConnected, onConnection } = options
  const wishes = new Map<IdKey, Wanted>()
  const dials = new Map<IdKey, Promise<void>>()

  async function connect(peer: PublicKey, addresses: readonly string[]): Promise<void> {
    const deadline = createDeadline({
      parents: [options.signal],
      scheduler,
      afterMs: limits.dialDeadlineMs,
      waitingFor: 'a connection',
    })
    try {
      const { signal } = deadline
      const dialled = transport.connect(peer, { addresses, signal })
      onConnection(await orAborted(dialled, signal, (late) => options.spawn('late dial', () => late.close('too late'))))
    } finally {
      deadline.release()
      dials.delete(idKey(peer))
    }
  }
  function dialOnce(peer: PublicKey, addresses: readonly string[]): Promise<void> {
    const key = idKey(peer)
    const dial = dials.get(key) ?? connect(peer, addresses)
    dials.set(key, dial)
    return dial
  }
  async function attempt(wanted: Wanted): Promise<void> {
    if (isConnected(wanted.peer) || options.signal.aborted) return
    try {
      await dialOnce(wanted.peer, wanted.addresses)
    } catch (error) {
      if (options.signal.aborted) return
      options.onFailure(wanted.peer, error)
      wanted.attempts += 1
      schedule(wanted)
    }
  }
  function schedule(wanted: Wanted): void {
    if (wishes.get(idKey(wanted.peer)) !== wanted || options.signal.aborted) return
    wanted.cancel?.()
    const pauseMs = backoffMs(wanted.attempts, {
      firstMs: limits.dialBackoffMs,
      maxMs: limits.dialBackoffMaxMs,
      random,
    })
    wanted.cancel = scheduler.after(Math.max(pauseMs, options.mutedForMs(wanted.peer)), () => {
      wanted.cancel = undefined
      options.spawn('dial', () => attempt(wanted))
    })
  }

  return {
    want: (peer, addresses) => {
      const key = idKey(peer)
      const known = wishes.get(key)
      if (known !== undefined) {
        if (addresses.length > 0) known.addresses = [...addresses]
        return
      }
      const wanted: Wanted = { peer, addresses: [...addresses], attempts: 0, cancel: undefined }
      wishes.set(key, wanted)
      if (options.mutedForMs(peer) > 0) schedule(wanted)
      else options.spawn('dial', () => attempt(wanted))
    },
    unwant: (peer) => {
      const key = idKey(peer)
      wishes.get(key)?.cancel?.()
      wishes.delete(key)
    },
    isWanted: (peer) => wishes.has(idKey(peer)),
    dial: (peer, addresses, signal) => orAborted(dialOnce(peer, addresses), signal, () => undefined),
    onUp: (peer) => {
      const wanted = wishes.get(idKey(peer))
      wanted?.cancel?.()
      if (wanted !== undefined) wanted.cancel = undefined
    },
    onDown: (peer, lastedMs) => {
      const wanted = wishes.get(idKey(peer))
      if (wanted === undefined) return
      wanted.attempts = lastedMs >= STABLE_CONNECTION_MS ? 0 : wanted.attempts + 1
      schedule(wanted)
    },
    close: () => {
      for (const wanted of wishes.values()) wanted.cancel?.()
      wishes.clear()
    },
  }
}
