/**
 * The three services of a node's API.
 *
 * @module
 */
import type { BackendHandlers } from '../backend.ts'
import { createDynamicService } from './dynamic-service.ts'
import type { HandlerDeps } from './handler-deps.ts'
import { createNodeService } from './node-service.ts'
import { createStoreService } from './store-service.ts'

/** Implements the API of one node. The node outlives the handlers. */
export function createHandlers(deps: HandlerDeps): BackendHandlers {
  return {
    node: createNodeService(deps),
    store: createStoreService(deps),
    dynamic: createDynamicService(deps),
  }
}
