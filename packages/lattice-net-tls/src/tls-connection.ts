/**
 * A TLS socket as a `Connection`: the machine's bytes in and out, silence noticed, the end made known.
 *
 * Reading never stops, since what can arrive is bounded by credit; writing stops while enough waits in the socket.
 *
 * @module
 */
import type { TLSSocket } from 'node:tls'
import { type AsyncQueue, type Cancel, createAsyncQueue, type PublicKey, type Scheduler } from '@lattice/model'
import { type BiStream, type CloseReason, type Connection, StreamLost } from '@lattice/net-types'
import { createMux, type Mux } from './mux/mux.ts'
import { MAX_OPEN_STREAMS } from './mux/mux-state.ts'
import type { MuxStream } from './mux/mux-stream.ts'
import { createTlsStream } from './tls-stream.ts'

/** Bytes given to TLS at once: four records. */
const WRITE_BYTES: number = 64 * 1024
/**
 * Bytes that may wait in the socket: keeps it busy over a turn of the event loop; more would hold up urgent frames.
 * @beyond The rest waits in its streams, whose writers wait.
 */
const MAX_UNSENT_BYTES: number = 256 * 1024
/** How often silence is looked for. */
export const SILENCE_CHECK_MS = 7_500
/**
 * Looks in a row at which nothing had come: the peer is asked at the first and given up at the last, within 30 s.
 * @beyond The connection is lost.
 */
const MAX_SILENT_CHECKS = 3
/**
 * How long the end of a connection may take to reach the peer.
 * @beyond The socket is destroyed.
 */
export const GOODBYE_MS = 1_000

export interface TlsConnectionOptions {
  /** Its handshake is over. */
  readonly socket: TLSSocket
  readonly peer: PublicKey
  readonly outgoing: boolean
  readonly scheduler: Scheduler
}

export interface TlsConnection extends Connection {
  /** Resolves when the acceptor has taken the connection in; rejects with `StreamLost` when it will not. */
  readonly welcomed: Promise<void>
  /** Resolves when the socket is closed. */
  readonly released: Promise<void>
}

export function createTlsConnection(options: TlsConnectionOptions): TlsConnection {
  const served = new ServedSocket(options)
  return {
    peer: options.peer,
    outgoing: options.outgoing,
    closed: served.closed,
    welcomed: served.welcomed,
    released: served.released,
    streams: served.inbound,
    open: () => served.open(),
    close: (message) => served.close(message),
  }
}

interface OpenRequest {
  readonly resolve: (stream: MuxStream) => void
  readonly reject: (error: StreamLost) => void
}

class ServedSocket {
  readonly closed: Promise<CloseReason>
  readonly welcomed: Promise<void>
  readonly released: Promise<void>
  readonly inbound: AsyncQueue<BiStream> = createAsyncQueue({ capacity: MAX_OPEN_STREAMS })
  readonly #socket: TLSSocket
  readonly #scheduler: Scheduler
  readonly #mux: Mux
  // One entry per call that somebody awaits: bounded by the callers.
  readonly #line: OpenRequest[] = []
  #endedBy: CloseReason | undefined
  #resolveClosed: (reason: CloseReason) => void = ignore
  #resolveReleased: () => void = ignore
  #welcome: { readonly resolve: () => void; readonly reject: (error: StreamLost) => void } | undefined
  #unsent = 0
  #pumping = false
  #saidGoodbye = false
  #heard = false
  #silentChecks = 0
  #cancelTimer: Cancel = ignore

  constructor({ socket, outgoing, scheduler }: TlsConnectionOptions) {
    this.#socket = socket
    this.#scheduler = scheduler
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    this.released = new Promise((resolve) => {
      this.#resolveReleased = resolve
    })
    this.welcomed = new Promise((resolve, reject) => {
      this.#welcome = { resolve, reject }
    })
    // Only the dial waits for it.
    this.welcomed.catch(ignore)
    this.#mux = createMux(outgoing, {
      opened: (stream) => {
        if (!this.inbound.push(createTlsStream(this.#mux, stream))) this.#mux.reset(stream)
      },
      openable: () => this.#serveLine(),
      welcomed: () => this.#welcome?.resolve(),
      closed: (message) => this.#endThenLeave({ by: 'remote', message }),
      due: () => this.#pumpSoon(),
    })
    this.#listen()
    this.#watch()
    this.#pumpSoon()
  }

  async open(): Promise<BiStream> {
    if (this.#endedBy !== undefined) throw new StreamLost(this.#endedBy.message)
    const stream = this.#line.length === 0 ? this.#mux.open() : undefined
    if (stream !== undefined) return createTlsStream(this.#mux, stream)
    const granted = await new Promise<MuxStream>((resolve, reject) => {
      this.#line.push({ resolve, reject })
    })
    return createTlsStream(this.#mux, granted)
  }

  async close(message: string): Promise<void> {
    if (this.#endedBy === undefined) {
      this.#mux.close(message)
      this.#endThenLeave({ by: 'local', message })
    }
    await this.released
  }

  #listen(): void {
    const socket = this.#socket
    socket.on('data', (bytes: Buffer) => this.#receive(bytes))
    socket.on('end', () => this.#lose('the peer ended the connection without a word'))
    socket.on('error', (error: Error) => this.#lose(error.message))
    socket.on('close', () => {
      this.#lose('the socket was closed')
      this.#cancelTimer()
      this.#resolveReleased()
    })
  }

  #receive(bytes: Uint8Array): void {
    this.#heard = true
    if (this.#endedBy !== undefined) return
    const violation = this.#mux.receive(bytes)
    if (violation !== undefined) this.#lose(`the peer broke the framing: ${violation.code}`)
  }

  #serveLine(): void {
    while (this.#line.length > 0) {
      const stream = this.#mux.open()
      if (stream === undefined) return
      this.#line.shift()?.resolve(stream)
    }
  }

  /** In a moment: what is written in one turn goes out together. */
  #pumpSoon(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#socket.destroyed || this.#saidGoodbye) return
    const isLeaving = this.#endedBy !== undefined
    while (isLeaving || this.#unsent < MAX_UNSENT_BYTES) {
      const bytes = this.#mux.take(WRITE_BYTES)
      if (bytes === undefined) break
      this.#unsent += bytes.length
      this.#socket.write(bytes, () => {
        this.#unsent -= bytes.length
        this.#pump()
      })
    }
    if (!isLeaving) return
    this.#saidGoodbye = true
    this.#socket.end()
  }

  #watch(): void {
    this.#cancelTimer = this.#scheduler.after(SILENCE_CHECK_MS, () => {
      this.#silentChecks = this.#heard ? 0 : this.#silentChecks + 1
      this.#heard = false
      if (this.#silentChecks === MAX_SILENT_CHECKS) return this.#lose('the peer is silent')
      if (this.#silentChecks > 0) this.#mux.ping()
      this.#watch()
    })
  }

  /** The first end counts. */
  #end(reason: CloseReason): boolean {
    if (this.#endedBy !== undefined) return false
    this.#endedBy = reason
    this.#cancelTimer()
    this.#mux.fail(reason.message)
    this.inbound.close()
    for (const { reject } of this.#line.splice(0)) reject(new StreamLost(reason.message))
    this.#welcome?.reject(new StreamLost(reason.message))
    this.#resolveClosed(reason)
    return true
  }

  /** Ends, and closes the socket in order: what was said last still arrives. */
  #endThenLeave(reason: CloseReason): void {
    if (!this.#end(reason)) return
    this.#cancelTimer = this.#scheduler.after(GOODBYE_MS, () => this.#socket.destroy())
    this.#pumpSoon()
  }

  #lose(message: string): void {
    if (this.#end({ by: 'lost', message })) this.#socket.destroy()
  }
}

function ignore(): void {
  // Nothing is to be done.
}
