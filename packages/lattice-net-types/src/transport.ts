/**
 * Ports of the network. Everything above them is the same on QUIC, in the
 * simulator and over a serial line.
 *
 * @module
 */
import type { AbortSignal, Cancel, PublicKey } from '@lattice/model'

/** Why a connection ended; `local` when this side closed it. */
export interface CloseReason {
  readonly by: 'local' | 'remote' | 'lost'
  readonly message: string
}

/**
 * A byte stream in both directions. Reads and writes are each made by one
 * caller at a time; where one write ends and the next begins is not kept.
 * After `reset` by either side, or the end of the connection, both reject with
 * `StreamLost`. A stream holds a slot of its connection until both
 * directions were read and finished, or it is reset.
 */
export interface BiStream {
  /** The next bytes, at least one; undefined after the peer's `finish`. */
  readonly read: () => Promise<Uint8Array | undefined>
  /** Resolves when the transport can take more. The bytes are not kept after that. */
  readonly write: (bytes: Uint8Array) => Promise<void>
  /** Nothing more will be written; what was written still arrives. Idempotent. */
  readonly finish: () => Promise<void>
  /** Drops both directions at once. Idempotent; never throws. */
  readonly reset: () => void
}

/** A mutually authenticated connection: `peer` is proved by the transport. */
export interface Connection {
  readonly peer: PublicKey
  /** True when this side dialled. */
  readonly outgoing: boolean
  /**
   * A new stream; waits while too many are open. The peer sees it with the
   * first write or finish. Rejects with `StreamLost` once the connection ended.
   */
  readonly open: () => Promise<BiStream>
  /** Streams the peer opened; one consumer. Ends when the connection does. */
  readonly streams: AsyncIterable<BiStream>
  /** Resolves once, when the connection has ended for whatever reason. */
  readonly closed: Promise<CloseReason>
  /** Ends every stream of it at once; what the peer has not read yet may be lost. Idempotent. */
  readonly close: (message: string) => Promise<void>
  /** Name of the transport that takes new streams now; that of the connection's own when absent. */
  readonly path?: () => string
  /**
   * Calls the listener when new streams go a better way from now on: a bulk session that began before is worth ending and
   * resuming. Absent where there is one way only.
   */
  readonly onImproved?: (listener: () => void) => Cancel
}

export interface DialOptions {
  /** Where to try, in the transport's own notation; unknown notations are passed over. */
  readonly addresses: readonly string[]
  readonly signal: AbortSignal
}

export interface Transport {
  /** `iroh`, `sim`, … */
  readonly name: string
  /** This node's key. */
  readonly id: PublicKey
  /** Rejects with `PeerUnreachable`, or `signal.reason` once aborted. */
  readonly connect: (peer: PublicKey, options: DialOptions) => Promise<Connection>
  /** Connections that peers made; one consumer. Ends on close. */
  readonly incoming: AsyncIterable<Connection>
  /** Where this node can be reached now, for tokens and peers. */
  readonly addresses: () => readonly string[]
  /** Ends every connection and releases sockets. Idempotent. */
  readonly close: () => Promise<void>
}
