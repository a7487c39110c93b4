/**
 * The direct transport: TLS 1.3 over TCP by `node:tls`.
 *
 * @module
 */
export { MAX_CONNECTIONS, MAX_HANDSHAKES } from './accept-gate.ts'
export { CONNECT_TIMEOUT_MS } from './dial.ts'
export { HANDSHAKE_TIMEOUT_MS } from './listener.ts'
export { MAX_OPEN_STREAMS } from './mux/mux-state.ts'
export { openTlsTransport, type TlsTransportOptions } from './tls-transport.ts'
