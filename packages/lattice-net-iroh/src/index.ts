export { MAX_DIAL_ADDRESSES } from './address.ts'
export { BindFailed } from './bind-endpoint.ts'
export { MAX_OPEN_STREAMS } from './iroh-connection.ts'
export {
  CONNECT_TIMEOUT_MS,
  type IrohTransportOptions,
  MAX_CONNECTIONS,
  MAX_INCOMING,
  openIrohTransport,
} from './iroh-transport.ts'
export { IrohUnavailable } from './native.ts'
