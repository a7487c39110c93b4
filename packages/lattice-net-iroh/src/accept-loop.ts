/**
 * Takes in connections: handshakes run side by side, within bounds, and none can stop the loop.
 *
 * When many handshakes are under way a dialler first has to prove that it is where it says, so forged packets cannot keep
 * honest peers out.
 *
 * @module
 */
import { type AsyncQueue, type PublicKey, readPublicKey, type Scope } from '@lattice/model'
import type { Connection } from '@lattice/net-types'
import { ALPN } from './bind-endpoint.ts'
import { type Connection as NativeConnection, type Endpoint, type Incoming, textToNumbers } from './native.ts'

/**
 * Handshakes under way at a time; a dialler beyond it is refused and tries again.
 * @beyond The attempt is refused.
 */
export const MAX_HANDSHAKES = 64
/** From here on a dialler's address has to be proved first. */
const PROVE_ADDRESS_FROM = 16

export interface AcceptLoopDeps {
  readonly endpoint: Endpoint
  readonly scope: Scope
  readonly incoming: AsyncQueue<Connection>
  /** Whether there is room for one more connection. */
  readonly hasRoom: () => boolean
  readonly adopt: (native: NativeConnection, peer: PublicKey, outgoing: boolean) => Connection
  readonly onError: (error: unknown) => void
}

/** Runs until the endpoint is closed. */
export async function runAcceptLoop({
  endpoint,
  scope,
  incoming,
  hasRoom,
  adopt,
  onError,
}: AcceptLoopDeps): Promise<void> {
  let handshakes = 0

  const admit = async (attempt: Incoming): Promise<void> => {
    handshakes += 1
    try {
      const native = await (await attempt.accept()).connect()
      const peer = provedPeer(native)
      if (peer === undefined) return native.close(0n, textToNumbers('the protocol is not spoken here'))
      const connection = adopt(native, peer, false)
      if (!incoming.push(connection)) await connection.close('too many connections wait to be accepted')
    } catch {
      // The dialler broke off or is not one of us: its own end tells it why.
    } finally {
      handshakes -= 1
    }
  }
  const triage = async (attempt: Incoming): Promise<void> => {
    if (handshakes >= MAX_HANDSHAKES || !hasRoom()) await attempt.refuse()
    else if (handshakes >= PROVE_ADDRESS_FROM && !(await attempt.remoteAddrValidated())) await attempt.retry()
    else scope.spawn('handshake', () => admit(attempt))
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

/** The peer's key, if the connection is in the protocol that was offered. */
export function provedPeer(native: NativeConnection): PublicKey | undefined {
  const alpn = native.alpn()
  if (alpn.length !== ALPN.length || alpn.some((byte, index) => byte !== ALPN[index])) return undefined
  return readPublicKey(Uint8Array.from(native.remoteId().toBytes()))
}
