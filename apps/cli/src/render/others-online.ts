/**
 * @module
 */
import type { daemon } from '@lattice/proto'

/** Connected peers of a store. The node counts itself among those online. */
export function othersOnline({ peersOnline }: daemon.StoreStatus): number {
  return Math.max(0, peersOnline - 1)
}
