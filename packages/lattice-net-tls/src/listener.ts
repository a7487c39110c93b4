/**
 * Listens, and takes in whoever proves a key within the time and the room there is.
 *
 * @module
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import { assert, type PublicKey, type Scheduler } from '@lattice/model'
import {
  type AcceptGate,
  type Admission,
  BindFailed,
  formatSocketAddress,
  HANDSHAKE_TIMEOUT_MS,
  parseSocketAddress,
  type SocketAddress,
  sourceOf,
} from '@lattice/net-types'
import { provedKey, secureAccepted } from './secure-socket.ts'
import type { TLSSocket } from 'node:tls'

/** Sockets the system keeps for us until they are looked at. */
const BACKLOG = 64

export interface ListenerDeps {
  readonly secureContext: SecureContext
  readonly scheduler: Scheduler
  readonly gate: AcceptGate
  /** A peer has proved its key. The admission is the caller's to leave, when the socket is closed. */
  readonly onPeer: (socket: TLSSocket, peer: PublicKey, admission: Admission) => void
  /** The system cannot hand over sockets, for want of descriptors for instance. Listening goes on. */
  readonly onError: (error: unknown) => void
}

export interface Listener {
  /** Where it listens, with the port that was found. */
  readonly address: SocketAddress
  /** Closes the socket and every handshake under way. */
  readonly close: () => Promise<void>
}

/** Rejects with {@link BindFailed}. */
export async function openListener(bindAddress: string, deps: ListenerDeps): Promise<Listener> {
  const bind = parseSocketAddress(bindAddress)
  if (bind === undefined) throw new BindFailed(bindAddress, 'it is not an IP address with a port')
  const pending = new Set<Socket>()
  const server = createServer({ noDelay: true })
  server.on('connection', (socket) => admit(socket, pending, deps))
  try {
    await listen(server, bind)
  } catch (error) {
    // Every interface, on a machine without IPv6.
    const isNoIpv6 = bind.ip === '::' && /EAFNOSUPPORT|EADDRNOTAVAIL|EINVAL/.test(String(error))
    if (!isNoIpv6) throw bindFailed(bind, error)
    await listen(server, { ...bind, ip: '0.0.0.0', family: 4 }).catch((again: unknown) => {
      throw bindFailed(bind, again)
    })
  }
  server.on('error', deps.onError)
  const bound = server.address()
  assert(bound !== null && typeof bound === 'object', 'a server that listens has an address')
  return {
    address: { ip: bound.address, family: bound.family === 'IPv6' ? 6 : 4, port: bound.port },
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      for (const socket of pending) socket.destroy()
      await closed
    },
  }
}

function bindFailed(bind: SocketAddress, cause: unknown): BindFailed {
  const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  return new BindFailed(formatSocketAddress(bind), why, { cause })
}

function listen(server: Server, { ip, port }: SocketAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: ip, port, backlog: BACKLOG, exclusive: true }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function admit(socket: Socket, pending: Set<Socket>, deps: ListenerDeps): void {
  const { gate, scheduler, secureContext, onPeer } = deps
  const { remoteAddress } = socket
  const giveUp = (): void => void secure.destroy()
  const admission = remoteAddress === undefined ? undefined : gate.enter(sourceOf(remoteAddress), giveUp)
  if (admission === undefined) {
    socket.on('error', ignore)
    socket.resetAndDestroy()
    return
  }
  const secure = secureAccepted(socket, secureContext)
  const cancelDeadline = scheduler.after(HANDSHAKE_TIMEOUT_MS, () => secure.destroy())
  pending.add(secure)
  // Its failure is its end, which is told next.
  secure.on('error', ignore)
  secure.on('close', () => {
    cancelDeadline()
    pending.delete(secure)
    admission.leave()
  })
  secure.once('secure', () => {
    const peer = provedKey(secure)
    if (peer === undefined) return void secure.destroy()
    cancelDeadline()
    pending.delete(secure)
    admission.connected()
    onPeer(secure, peer, admission)
  })
}

function ignore(): void {
  // The socket's end is handled where it closes.
}
