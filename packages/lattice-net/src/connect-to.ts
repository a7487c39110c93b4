/**
 * The connection to a peer, made if there is none.
 *
 * @module
 */
import type { AbortSignal } from '@lattice/model'
import { PeerUnreachable } from '@lattice/net-types'
import { NetworkClosed, PeerMuted } from './errors.ts'
import type { NetworkCore } from './network-core.ts'
import type { PeerLink } from './peer-link.ts'
import type { PeerHint } from './session-call.ts'

/** Rejects with `NetworkClosed`, `PeerMuted`, as the transport does, or with `signal.reason`. */
export async function connectTo(
  core: NetworkCore,
  { peer, addresses }: PeerHint,
  signal: AbortSignal,
): Promise<PeerLink> {
  signal.throwIfAborted()
  if (core.closed()) throw new NetworkClosed()
  const current = core.links.get(peer)
  if (current !== undefined) return current
  const mutedForMs = core.ledger.mutedForMs(peer)
  if (mutedForMs > 0) throw new PeerMuted(peer, mutedForMs)
  await core.dialer.dial(peer, addresses, signal)
  const link = core.links.get(peer)
  if (link === undefined) throw new PeerUnreachable(peer, addresses)
  return link
}
