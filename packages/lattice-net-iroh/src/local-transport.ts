/**
 * The transport as it runs in its worker: a node's Ed25519 key is its endpoint key, so whoever answers a dial has proved to
 * be the peer.
 *
 * Every native promise is awaited or has its failure handled, and every connection that comes up after nobody waits for it
 * any more is closed, so a hostile or vanished peer costs bounded resources and never an unhandled rejection.
 *
 * @module
 */
import {
  assert,
  createAbortController,
  createAsyncQueue,
  createScope,
  type PublicKey,
  readPublicKey,
} from '@lattice/model'
import {
  type Connection,
  createAcceptGate,
  MAX_INCOMING,
  parseSocketAddress,
  PeerUnreachable,
  type Transport,
} from '@lattice/net-types'
import { runAcceptLoop } from './accept-loop.ts'
import { formatAddresses, isLoopback, parseAddresses } from './address.ts'
import { ALPN, bindEndpoint, type BindOptions, bindsLoopback } from './bind-endpoint.ts'
import { dial } from './dial.ts'
import { createIrohConnection } from './iroh-connection.ts'
import { type Connection as NativeConnection, type Endpoint, loadBinding, toNumbers } from './native.ts'
import { withInterfaces } from './own-sockets.ts'
import type { WorkerScheduler } from './worker-timers.ts'

export interface LocalTransportOptions extends BindOptions {
  /** For the deadline of handshakes. */
  readonly scheduler: WorkerScheduler
  readonly onError: (error: unknown) => void
}

/** Listens and dials. Rejects with `BindFailed`, or `IrohUnavailable` where there is no native build. */
export async function openLocalTransport(options: LocalTransportOptions): Promise<Transport> {
  const { bindAddress, scheduler, onError } = options
  const binding = await loadBinding()
  const endpoint = await bindEndpoint(binding, options)
  const id = readPublicKey(Uint8Array.from(endpoint.id().toBytes()))
  assert(id !== undefined, 'an endpoint has a key of 32 bytes')

  const scope = createScope('iroh transport', undefined, { onFailure: onError })
  const incoming = createAsyncQueue<Connection>({ capacity: MAX_INCOMING })
  const live = new Set<Connection>()
  const adopt = (native: NativeConnection, peer: PublicKey, outgoing: boolean): Connection => {
    const connection = createIrohConnection({ native, peer, outgoing })
    live.add(connection)
    scope.spawn('connection', async () => {
      await connection.closed
      live.delete(connection)
    })
    return connection
  }
  const gate = createAcceptGate({ outgoing: () => [...live].filter(({ outgoing }) => outgoing).length })
  scope.spawn('accept', () => runAcceptLoop({ endpoint, scope, scheduler, incoming, gate, adopt, onError }))

  const stop = createAbortController()
  const release = async (): Promise<void> => {
    stop.abort()
    incoming.close()
    await Promise.all([...live].map((connection) => connection.close('the transport was closed')))
    // Ends the accept loop and whatever dial or handshake is left.
    await endpoint.close()
    await scope.close()
  }
  let closing: Promise<void> | undefined

  return {
    name: 'iroh',
    id,
    incoming,
    addresses: () => (closing === undefined ? addressesOf(endpoint, bindAddress) : []),
    connect: async (peer, dialOptions) => {
      const { addresses } = dialOptions
      if (gate.isFull()) {
        throw new PeerUnreachable(peer, addresses, { cause: new Error('this node has no room for another connection') })
      }
      return dial(peer, dialOptions, {
        attempt: async () => {
          const { sockets, relay } = parseAddresses(addresses)
          const target = binding.EndpointId.fromBytes(toNumbers(peer))
          const via = options.relay === 'off' ? undefined : relay
          return endpoint.connect(new binding.EndpointAddr(target, via, [...sockets]), [...ALPN])
        },
        adopt: (native) => adopt(native, peer, true),
        stop: stop.signal,
      })
    },
    close: () => (closing ??= release()),
  }
}

/** Where the endpoint is reached; loopback only when it was asked for, or nothing else is there. */
function addressesOf(endpoint: Endpoint, bindAddress: string | undefined): readonly string[] {
  const address = endpoint.addr()
  const relay = address.relayUrl() ?? undefined
  const sockets = withInterfaces(address.directAddresses(), endpoint.boundSockets())
  const wanted = bindsLoopback(bindAddress) ? sockets : sockets.filter((socket) => !isLoopback(socket))
  if (wanted.length > 0 || relay !== undefined) return formatAddresses({ sockets: wanted, relay })
  const ports = endpoint.boundSockets().flatMap((socket) => parseSocketAddress(socket) ?? [])
  const local = ports.map(({ family, port }) => (family === 4 ? `127.0.0.1:${port}` : `[::1]:${port}`))
  return formatAddresses({ sockets: local, relay: undefined })
}
