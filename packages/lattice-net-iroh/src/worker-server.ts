/**
 * Carries out in the worker what the other side of the port asks for.
 *
 * What it holds is bounded by what the port's contract lets the other side have: one read and one write per stream, the
 * streams of live connections, and those connections.
 *
 * @module
 */
import { type AbortController, assert, createAbortController, toPublicKey, unreachable } from '@lattice/model'
import { type BiStream, type Connection, isPeerUnreachable, type Transport } from '@lattice/net-types'
import { describeFailure } from './native.ts'
import type { Answer, Command, ConnectionName, FromWorker, Operation, ToWorker } from './worker-protocol.ts'

export interface WorkerServerDeps {
  readonly transport: Transport
  readonly post: (message: FromWorker, transfer?: ArrayBuffer[]) => void
  /** Called after the transport is closed and the last answer is posted. */
  readonly onShutdown: () => void
}

export interface WorkerServer {
  readonly receive: (message: ToWorker) => void
}

interface OpenConnection {
  readonly connection: Connection
  readonly inbound: AsyncIterator<BiStream>
  readonly streams: Set<number>
}

interface OpenStream {
  readonly stream: BiStream
  readonly owner: OpenConnection
  finished: boolean
  ended: boolean
}
