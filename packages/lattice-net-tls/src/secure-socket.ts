/**
 * TLS as it is used here, and the one check of who is at the other end.
 *
 * TLS 1.3 alone, both ends with a certificate, one application protocol. Sessions are never resumed: no side offers one, and a
 * socket that says it resumed one is refused, so the peer has signed this very handshake. Of the certificate nothing but the
 * key is believed.
 *
 * @module
 */
import {
  createSecureContext,
  type ConnectionOptions,
  type SecureContext,
  TLSSocket,
  type TLSSocketOptions,
} from 'node:tls'
import type { Socket } from 'node:net'
import type { PublicKey } from '@lattice/model'
import { type NodeCertificate, peerKeyOf } from './certificate.ts'

/** What peers must speak. */
export const ALPN = 'lattice/1'

export function createContext({ key, cert }: NodeCertificate): SecureContext {
  return createSecureContext({ key, cert, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' })
}

/**
 * How a dial is made. The caller judges the key in `secureConnect` itself: a socket that is destroyed there has sent nothing
 * of this node but a greeting.
 */
export function dialOptions(secureContext: SecureContext): ConnectionOptions {
  // The platform's judgement, of issuers and names, is not wanted: `provedKey` is.
  return { secureContext, ALPNProtocols: [ALPN], rejectUnauthorized: false, checkServerIdentity: () => undefined }
}

/** Starts the accepting side of TLS on a socket; `secure` is its event. */
export function secureAccepted(socket: Socket, secureContext: SecureContext): TLSSocket {
  const options: TLSSocketOptions = {
    isServer: true,
    secureContext,
    ALPNProtocols: [ALPN],
    requestCert: true,
    rejectUnauthorized: false,
  }
  return new TLSSocket(socket, options)
}

/** The key that the peer has proved to hold, once the handshake is over; undefined when it is none of us. */
export function provedKey(socket: TLSSocket): PublicKey | undefined {
  if (socket.getProtocol() !== 'TLSv1.3' || socket.alpnProtocol !== ALPN || socket.isSessionReused()) return undefined
  return peerKeyOf(socket.getPeerX509Certificate())
}
