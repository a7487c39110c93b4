/**
 * The one interface that the command line, the web and tests talk to. It is the
 * daemon's three services, called in process or over gRPC, with equal results
 * and equal errors.
 *
 * @module
 */
import { daemon } from '@lattice/proto'
import type { ServiceClient, ServiceHandlers } from './service-types.ts'

export interface LatticeBackend extends AsyncDisposable {
  readonly node: ServiceClient<typeof daemon.NodeService>
  readonly store: ServiceClient<typeof daemon.StoreService>
  readonly dynamic: ServiceClient<typeof daemon.DynamicStoreService>
  /** Ends running calls and releases the connection. Idempotent. */
  readonly close: () => Promise<void>
}

/** The implementation of the services, which every backend reaches in its own way. */
export interface BackendHandlers {
  readonly node: ServiceHandlers<typeof daemon.NodeService>
  readonly store: ServiceHandlers<typeof daemon.StoreService>
  readonly dynamic: ServiceHandlers<typeof daemon.DynamicStoreService>
}

/** The services of a {@link LatticeBackend}, by the name they have there. */
export const BACKEND_SERVICES: {
  readonly node: typeof daemon.NodeService
  readonly store: typeof daemon.StoreService
  readonly dynamic: typeof daemon.DynamicStoreService
} = {
  node: daemon.NodeService,
  store: daemon.StoreService,
  dynamic: daemon.DynamicStoreService,
}
