/**
 * Copying a node while it runs.
 *
 * @module
 */
import { NodeError } from './errors.ts'
import type { NodeContext } from './node-context.ts'
import type { BackupOptions, BackupResult } from './node-types.ts'
import type { StoreManager } from './store-manager.ts'

export async function backupNode(
  _context: NodeContext,
  _manager: StoreManager,
  _options: BackupOptions,
): Promise<BackupResult> {
  throw new NodeError('NOT_SUPPORTED', 'PLACEHOLDER')
}
