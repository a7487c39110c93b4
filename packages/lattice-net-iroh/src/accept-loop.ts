/**
 * Takes in connections: handshakes run side by side, within bounds and each only so long, and none can stop the loop.
 *
 * When many handshakes are under way a dialler first has to prove that it is where it says, so forged packets cannot keep
 * honest peers out; from then on its address has a share. Through a relay there is no address to count against, and keys cost
 * nothing: those diallers are bounded together, by the number of handshakes and by their deadline. None is given up for the
 * sake of another: the native side would hold on to it, and so to any number of them.
 *
 * @module
 */
import { type AsyncQueue, type PublicKey, readPublicKey, type Scope } from '@lattice/model'
import {
  type AcceptGate,
  type Admission,
  type Connection,
  HANDSHAKE_TIMEOUT_MS,
  parseSocketAddress,
  sourceOf,
} from '@lattice/net-types'
import { ALPN } from './bind-endpoint.ts'
import { type Connection as NativeConnection, type Endpoint, type Incoming, textToNumbers } from './native.ts'
import type { WorkerScheduler } from './worker-timers.ts'

/** From here on a dialler's address has to be proved first. */
export const PROVE_ADDRESS_FROM = 16

export interface AcceptLoopDeps {
  readonly endpoint: Endpoint
  readonly scope: Scope
  readonly scheduler: WorkerScheduler
  readonly incoming: AsyncQueue<Connection>
  readonly gate: AcceptGate
  readonly adopt: (native: NativeConnection, peer: PublicKey, outgoing: boolean) => Connection
  readonly onError: (error: unknown) => void
}

/** Runs until the endpoint is closed. */
export async function runAcceptLoop(deps: AcceptLoopDeps): Promise<void> {
  const { endpoint, scope, scheduler, incoming, gate, adopt, onError } = deps

  const admit = async (attempt: Incoming, admission: Admission): Promise<void> => {
    try {
      const native = await inTime(handshake(attempt), scheduler)
      const peer = native === undefined ? undefined : provedPeer(native)
      if (native === undefined) return
      if (peer === undefined) return native.close(0n, textToNumbers('the protocol is not spoken here'))
      admission.connected()
      const connection = adopt(native, peer, false)
      if (incoming.push(connection)) await connection.closed
      else await connection.close('too many connections wait to be accepted')
    } catch {
      // The dialler broke off or is not one of us: its own end tells it why.
    } finally {
      admission.leave()
    }
  }
  const triage = async (attempt: Incoming): Promise<void> => {
    const isProved = await attempt.remoteAddrValidated()
    const admission = gate.enter(isProved ? await sourceOfAttempt(attempt) : undefined)
    if (admission === undefined) return attempt.refuse()
    if (isProved || gate.handshakes() <= PROVE_ADDRESS_FROM) {
      return scope.spawn('connection', () => admit(attempt, admission))
    }
    admission.leave()
    await attempt.retry()
  }

  for (;;) {
    const attempt = await endpoint.acceptNext()
    if (attempt === null) return
    try {
      await triage(attempt)
    } catch (error) {
      onError(error)
    }
  }
}

async function handshake(attempt: Incoming): Promise<NativeConnection> {
  return (await attempt.accept()).connect()
}

/** Undefined through a relay, whose address is that of many. */
async function sourceOfAttempt(attempt: Incoming): Promise<string | undefined> {
  const { kind, addr } = await attempt.remoteAddr()
  const socket = kind === 'ip' && addr !== undefined ? parseSocketAddress(addr) : undefined
  return socket === undefined ? undefined : sourceOf(socket.ip)
}

/**
 * Undefined when it takes too long. The native handshake cannot be called off: it is left behind until the native side has
 * heard nothing for 30 s, and should it succeed after all, its connection is closed.
 */
function inTime(
  connecting: Promise<NativeConnection>,
  scheduler: WorkerScheduler,
): Promise<NativeConnection | undefined> {
  return new Promise((resolve, reject) => {
    let isOver = false
    const cancel = scheduler.after(HANDSHAKE_TIMEOUT_MS, () => {
      isOver = true
      resolve(undefined)
    })
    const settle = (native: NativeConnection): void => {
      if (isOver) return native.close(0n, textToNumbers('the handshake took too long'))
      resolve(native)
    }
    connecting.then(settle).catch(reject).finally(cancel)
  })
}

/** The peer's key, if the connection is in the protocol that was offered. */
export function provedPeer(native: NativeConnection): PublicKey | undefined {
  const alpn = native.alpn()
  if (alpn.length !== ALPN.length || alpn.some((byte, index) => byte !== ALPN[index])) return undefined
  return readPublicKey(Uint8Array.from(native.remoteId().toBytes()))
}
