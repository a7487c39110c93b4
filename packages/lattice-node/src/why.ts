/**
 * What is missing, at whom, and why.
 *
 * @module
 */
import type { NodeContext } from './node-context.ts'
import { NodeError } from './errors.ts'
import type { Finding, WhyOptions } from './node-types.ts'
import type { StoreManager } from './store-manager.ts'

export async function findReasons(
  _context: NodeContext,
  _manager: StoreManager,
  _options: WhyOptions,
): Promise<readonly Finding[]> {
  throw new NodeError('NOT_SUPPORTED', 'PLACEHOLDER')
}
