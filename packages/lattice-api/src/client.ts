/**
 * What a client of a running node needs, and nothing of a node itself: a command that asks a daemon loads half as much.
 *
 * @module
 */
export { BACKEND_SERVICES, type LatticeBackend } from './backend.ts'
export { ERROR_TABLE, EXIT, type ExitCode, exitCodeOf } from './error-table.ts'
export { RemoteError } from './error-wire.ts'
export { connectBackend, DaemonUnreachable, type RpcBackendOptions } from './grpc-client.ts'
export type { CallOptions, ServiceClient, ServiceSchema } from './service-types.ts'
export { storeExecutor } from './store-executor.ts'
