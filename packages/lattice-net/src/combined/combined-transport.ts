/**
 * Several transports as one: a peer is dialled over all of them, the first path serves, and the preferred one takes over when
 * it appears.
 *
 * It knows transports as ports. Both ends of a connection must be such transports: paths say what they belong to.
 *
 * @module
 */
import {
  assert,
  createAbortController,
  createAsyncQueue,
  createScope,
  equalBytes,
  type Random,
  type Scheduler,
} from '@lattice/model'
import { type Connection, MAX_INCOMING, PeerUnreachable, type Transport } from '@lattice/net-types'
import type { CombinedConnection } from './combined-connection.ts'
import { createPathAcceptor } from './path-acceptor.ts'
import { dialPaths } from './path-dialer.ts'

export interface CombinedTransportOptions {
  /** Of one key; the preferred one first. Closed with the whole. */
  readonly transports: readonly Transport[]
  readonly scheduler: Scheduler
  readonly random: Random
  /** Told of failures that belong to no call: a transport that accepts no more. The others go on. */
  readonly onError?: (error: unknown) => void
}

/** Starts to accept over all of the transports. */
export function createCombinedTransport(options: CombinedTransportOptions): Transport {
  const { transports, scheduler, random, onError = ignore } = options
  const [first] = transports
  assert(first !== undefined, 'there is a transport')
  assert(
    transports.every(({ id }) => equalBytes(id, first.id)),
    'the transports have one key',
  )
  const { id } = first
  const scope = createScope('combined transport', undefined, { onFailure: onError })
  const stop = createAbortController()
  const incoming = createAsyncQueue<Connection>({ capacity: MAX_INCOMING })
  const live = new Set<CombinedConnection>()
  /** Failures of background tasks are told, and end nothing else. */
  const spawn = (name: string, task: () => Promise<void>): void =>
    scope.spawn(name, () => task().catch((error: unknown) => onError(error)))
  const keep = (connection: CombinedConnection): void => {
    live.add(connection)
    connection.closed.then(() => live.delete(connection), ignore)
  }
  const acceptor = createPathAcceptor({ scheduler, random, incoming, spawn, onConnection: keep })
  transports.forEach((transport, rank) => spawn('accept', () => acceptor.serve(transport, rank)))

  const release = async (): Promise<void> => {
    stop.abort(new Error('the transport was closed'))
    incoming.close()
    await Promise.all([...live].map((connection) => connection.close('the transport was closed')))
    await Promise.all(transports.map((transport) => transport.close()))
    await scope.close()
  }
  let closing: Promise<void> | undefined

  return {
    name: transports.map(({ name }) => name).join('+'),
    id,
    incoming,
    addresses: () => interleave(transports.map((transport) => transport.addresses())),
    connect: async (peer, dialOptions) => {
      dialOptions.signal.throwIfAborted()
      if (closing !== undefined) {
        throw new PeerUnreachable(peer, dialOptions.addresses, { cause: new Error('the transport was closed') })
      }
      const connection = await dialPaths(peer, dialOptions, { transports, scheduler, random, stop: stop.signal, spawn })
      keep(connection)
      // It came up in the same moment.
      if (stop.signal.aborted) await connection.close('the transport was closed')
      return connection
    },
    close: () => (closing ??= release()),
  }
}

/** By turns: whoever keeps only the first few has some of each kind. */
function interleave(lists: readonly (readonly string[])[]): readonly string[] {
  const longest = Math.max(0, ...lists.map((list) => list.length))
  return Array.from({ length: longest }, (_, index) => lists.flatMap((list) => list[index] ?? [])).flat()
}

function ignore(): void {
  // The caller does not want to be told.
}
