/**
 * Dials a peer at its addresses, one after another with a head start each, until one of them answers with its key.
 *
 * Whoever answers with another key learns nothing: the socket is destroyed inside the event that tells of its key, before this
 * node's certificate is sent.
 *
 * @module
 */
import { connect, type SecureContext } from 'node:tls'
import { type AbortSignal, type Cancel, equalBytes, type PublicKey, type Scheduler } from '@lattice/model'
import { type DialOptions, PeerUnreachable, type SocketAddress } from '@lattice/net-types'
import { parseAddresses } from './address.ts'
import { dialOptions, provedKey } from './secure-socket.ts'
import { createTlsConnection, type TlsConnection } from './tls-connection.ts'

/** The head start of an address before the next is tried too (RFC 8305, section 5). */
export const HEAD_START_MS = 250

export interface DialDeps {
  readonly secureContext: SecureContext
  readonly scheduler: Scheduler
  readonly timeoutMs: number
  /** Aborted when the transport closes. */
  readonly stop: AbortSignal
  /** Takes over a connection as soon as there is one, before it is welcome. */
  readonly adopt: (connection: TlsConnection) => void
}

/** Rejects with {@link PeerUnreachable}, or `signal.reason` once aborted. */
export function dial(peer: PublicKey, { addresses, signal }: DialOptions, deps: DialDeps): Promise<TlsConnection> {
  return new Promise((resolve, reject) => {
    const race = new DialRace(peer, parseAddresses(addresses), deps)
    const onAbort = (): void => race.fail('the dial was called off')
    const onStop = (): void => race.fail('the transport was closed')
    race.onEnd = (result) => {
      signal.removeEventListener('abort', onAbort)
      deps.stop.removeEventListener('abort', onStop)
      if (typeof result !== 'string') return resolve(result)
      if (signal.aborted) return reject(signal.reason)
      reject(new PeerUnreachable(peer, addresses, { cause: new Error(result) }))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    deps.stop.addEventListener('abort', onStop, { once: true })
    if (signal.aborted) onAbort()
    else if (deps.stop.aborted) onStop()
    else race.start()
  })
}

class DialRace {
  onEnd: (result: TlsConnection | string) => void = () => undefined
  readonly #peer: PublicKey
  readonly #deps: DialDeps
  readonly #waiting: SocketAddress[]
  /** How to call off each attempt under way. */
  readonly #attempts = new Set<Cancel>()
  #cancelNext: Cancel | undefined
  #cancelDeadline: Cancel | undefined
  #over = false
  #lastWhy = 'it has no address of this kind'

  constructor(peer: PublicKey, addresses: readonly SocketAddress[], deps: DialDeps) {
    this.#peer = peer
    this.#deps = deps
    this.#waiting = [...addresses]
  }

  start(): void {
    const { scheduler, timeoutMs } = this.#deps
    this.#cancelDeadline = scheduler.after(timeoutMs, () => this.fail(`no answer within ${timeoutMs} ms`))
    this.#next()
  }

  fail(why: string): void {
    this.#end(why)
  }

  #end(result: TlsConnection | string): void {
    if (this.#over) return
    this.#over = true
    this.#cancelDeadline?.()
    this.#cancelNext?.()
    for (const callOff of this.#attempts) callOff()
    this.onEnd(result)
  }

  #next(): void {
    this.#cancelNext?.()
    this.#cancelNext = undefined
    if (this.#over) return
    const address = this.#waiting.shift()
    if (address === undefined) {
      if (this.#attempts.size === 0) this.fail(this.#lastWhy)
      return
    }
    this.#try(address)
    this.#cancelNext = this.#deps.scheduler.after(HEAD_START_MS, () => this.#next())
  }

  #try({ ip, port }: SocketAddress): void {
    const { secureContext } = this.#deps
    const socket = connect({ ...dialOptions(secureContext), host: ip, port })
    socket.setNoDelay(true)
    const callOff = (): void => {
      this.#attempts.delete(callOff)
      socket.destroy()
    }
    const giveUp = (why: string): void => {
      if (!this.#attempts.has(callOff)) return
      callOff()
      this.#lastWhy = why
      this.#next()
    }
    const onError = (error: Error): void => giveUp(error.message)
    const onClose = (): void => giveUp('the connection was refused')
    this.#attempts.add(callOff)
    socket.on('error', onError)
    socket.on('close', onClose)
    socket.once('secureConnect', () => {
      const key = provedKey(socket)
      if (this.#over) return callOff()
      // In this very call: the platform sends this side's certificate when it returns.
      if (key === undefined || !equalBytes(key, this.#peer)) return giveUp('another node answered there')
      this.#attempts.delete(callOff)
      socket.off('close', onClose)
      socket.off('error', onError)
      const { scheduler } = this.#deps
      const connection = createTlsConnection({ socket, peer: key, outgoing: true, scheduler })
      this.#deps.adopt(connection)
      this.#awaitWelcome(connection)
    })
  }

  #awaitWelcome(connection: TlsConnection): void {
    const callOff = (): void => {
      this.#attempts.delete(callOff)
      // Its end is awaited by the transport.
      connection.close('the dial was abandoned').catch(() => undefined)
    }
    this.#attempts.add(callOff)
    connection.welcomed.then(
      () => {
        if (this.#attempts.delete(callOff)) this.#end(connection)
      },
      (error: unknown) => {
        if (!this.#attempts.delete(callOff)) return
        this.#lastWhy = error instanceof Error ? error.message : 'the peer refused'
        this.#next()
      },
    )
  }
}
