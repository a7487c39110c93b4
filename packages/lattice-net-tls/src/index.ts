/**
 * The direct transport: TLS 1.3 over TCP by `node:tls`.
 *
 * @module
 */
export { MAX_OPEN_STREAMS } from './mux/mux-state.ts'
export { openTlsTransport, type TlsTransportOptions } from './tls-transport.ts'
