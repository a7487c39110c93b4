/**
 * The direct transport of a node: TLS 1.3 over TCP.
 *
 * The node's Ed25519 key is the key of its certificate, so whoever answers a dial, and whoever dials, has proved to be the
 * peer.
 *
 * @module
 */
import { networkInterfaces } from 'node:os'
import {
  createAbortController,
  createAsyncQueue,
  equalBytes,
  type PublicKey,
  type Scheduler,
  type Seed,
} from '@lattice/model'
import {
  CONNECT_TIMEOUT_MS,
  type Connection,
  createAcceptGate,
  type DialOptions,
  MAX_INCOMING,
  PeerUnreachable,
  type Transport,
} from '@lattice/net-types'
import { reachableAt } from './address.ts'
import { createCertificate } from './certificate.ts'
import { dial } from './dial.ts'
import { type Listener, openListener } from './listener.ts'
import { createContext } from './secure-socket.ts'
import { createTlsConnection, type TlsConnection } from './tls-connection.ts'

/**
 * Connections from one address: a household or an office behind one router.
 * @beyond The socket is closed before anything is spent on it.
 */
export const MAX_CONNECTIONS_PER_SOURCE = 64
const EVERY_INTERFACE = '[::]:0'

export interface TlsTransportOptions {
  /** The node's Ed25519 seed. */
  readonly secretSeed: Seed
  /** `ip:port` to listen on, port 0 for a free one; by default a free port of every interface. */
  readonly bindAddress?: string
  /** For deadlines, and to notice silence. */
  readonly scheduler: Scheduler
  readonly connectTimeoutMs?: number
  /** Told of failures that belong to no call; none of them ends the transport. */
  readonly onError?: (error: unknown) => void
}

/** Listens and dials. Rejects with `BindFailed`. */
export async function openTlsTransport(options: TlsTransportOptions): Promise<Transport> {
  const { secretSeed, scheduler, bindAddress = EVERY_INTERFACE, connectTimeoutMs, onError = ignore } = options
  const certificate = createCertificate(secretSeed)
  const secureContext = createContext(certificate)
  const id = certificate.publicKey
  const incoming = createAsyncQueue<Connection>({ capacity: MAX_INCOMING })
  const live = new Set<TlsConnection>()
  const stop = createAbortController()

  const adopt = (connection: TlsConnection): void => {
    live.add(connection)
    connection.released.then(() => live.delete(connection), ignore)
  }
  const countOutgoing = (): number => [...live].filter(({ outgoing }) => outgoing).length
  const gate = createAcceptGate({ outgoing: countOutgoing, connectionsPerSource: MAX_CONNECTIONS_PER_SOURCE })
  const listener: Listener = await openListener(bindAddress, {
    secureContext,
    scheduler,
    gate,
    onError,
    onPeer: (socket, peer) => {
      const connection = createTlsConnection({ socket, peer, outgoing: false, scheduler })
      adopt(connection)
      if (equalBytes(peer, id)) connection.close('this node itself').catch(ignore)
      else if (!incoming.push(connection)) connection.close('too many connections wait to be accepted').catch(ignore)
    },
  })
  const release = async (): Promise<void> => {
    stop.abort()
    incoming.close()
    await Promise.all([
      listener.close(),
      ...[...live].map((connection) => connection.close('the transport was closed')),
    ])
  }
  const connect = async (peer: PublicKey, dialOptions: DialOptions): Promise<Connection> => {
    dialOptions.signal.throwIfAborted()
    const refuse = (why: string): never => {
      throw new PeerUnreachable(peer, dialOptions.addresses, { cause: new Error(why) })
    }
    if (equalBytes(peer, id)) return refuse('it is this node itself')
    if (gate.isFull()) return refuse('this node has no room for another connection')
    const timeoutMs = connectTimeoutMs ?? CONNECT_TIMEOUT_MS
    return dial(peer, dialOptions, { secureContext, scheduler, timeoutMs, stop: stop.signal, adopt })
  }
  let closing: Promise<void> | undefined

  return {
    name: 'tls',
    id,
    incoming,
    connect,
    addresses: () => (closing === undefined ? reachableAt(listener.address, networkInterfaces()) : []),
    close: () => (closing ??= release()),
  }
}

function ignore(): void {
  // The end of a connection is told through `closed`.
}
