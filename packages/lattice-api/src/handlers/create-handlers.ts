/**
 * The three services of a node's API.
 *
 * @module
 */
import type { Clock } from '@lattice/model'
import type { Node } from '@lattice/node'
import type { BackendHandlers } from '../backend.ts'
import { createDynamicService } from './dynamic-service.ts'
import { createNodeService } from './node-service.ts'
import { createStoreService } from './store-service.ts'

export interface HandlerDeps {
  readonly node: Node
  readonly clock: Clock
  /** Of the running program. */
  readonly version: string
  /** `wasm` or `native`. */
  readonly cryptoBackend: string
}

/** Implements the API of one node. The node outlives the handlers. */
export function createHandlers(deps: HandlerDeps): BackendHandlers {
  return {
    node: createNodeService(deps),
    store: createStoreService(deps),
    dynamic: createDynamicService(deps),
  }
}
