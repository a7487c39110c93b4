/**
 * What findings are gathered from.
 *
 * @module
 */
import type { NodeContext } from '../node-context.ts'
import type { ClockStatus } from '../node-types.ts'
import type { StoreManager } from '../store-manager.ts'

export interface FindingDeps {
  readonly context: NodeContext
  readonly manager: StoreManager
  readonly clock: () => ClockStatus
}
