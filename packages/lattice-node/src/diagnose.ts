/**
 * How the node and its stores are.
 *
 * @module
 */
import type { NodeContext } from './node-context.ts'
import { NodeError } from './errors.ts'
import type { Finding } from './node-types.ts'
import type { StoreManager } from './store-manager.ts'

export async function diagnoseNode(_context: NodeContext, _manager: StoreManager): Promise<readonly Finding[]> {
  throw new NodeError('NOT_SUPPORTED', 'PLACEHOLDER')
}
