/**
 * Failures of a transport, the same for every adapter.
 *
 * @module
 */
import { LatticeError, type PublicKey, toHex } from '@lattice/model'

/** No connection to the peer could be made. Try again later, or from another address. */
export class PeerUnreachable extends LatticeError {
  override readonly name = 'PeerUnreachable'
  readonly code = 'PEER_UNREACHABLE'
  override readonly detail: { readonly peer: string; readonly addresses: readonly string[] }

  constructor(peer: PublicKey, addresses: readonly string[], options?: { readonly cause?: unknown }) {
    const key = toHex(peer)
    super(`no connection to peer ${key.slice(0, 16)}: check that it is running and reachable`, options)
    this.detail = { peer: key, addresses }
  }
}

/** The stream or its connection ended before the exchange was complete. */
export class StreamLost extends LatticeError {
  override readonly name = 'StreamLost'
  readonly code = 'PEER_UNREACHABLE'
  override readonly detail: Readonly<Record<string, never>> = {}

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(`the connection ended: ${message}`, options)
  }
}

/** What systems say, by code or in words, and what it means to whoever chose the address. */
const BIND_TROUBLES: readonly (readonly [RegExp, string])[] = [
  [/EADDRINUSE|address already in use/iu, 'another program listens there'],
  [
    /EADDRNOTAVAIL|EINVAL|cannot assign requested address|invalid argument/iu,
    'no interface of this host has that address',
  ],
  [/EACCES|permission denied/iu, 'this user may not listen on that port'],
]

/** The transport cannot listen where it was told to. `why` of the detail is what the system said. */
export class BindFailed extends LatticeError {
  override readonly name = 'BindFailed'
  readonly code = 'INVALID_ARGUMENT'
  override readonly detail: { readonly address: string; readonly why: string }

  constructor(address: string, why: string, options?: { readonly cause?: unknown }) {
    const meaning = BIND_TROUBLES.find(([said]) => said.test(why))?.[1] ?? why
    super(`cannot listen on ${address}: ${meaning}; choose another bind address`, options)
    this.detail = { address, why }
  }
}
