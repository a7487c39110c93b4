/**
 * Keeps this node from writing to a store whose log was repaired, until its own chain is known to go on from what is here.
 *
 * A write made on an older own intention than the last one forks the chain. So after a repair nothing is written until
 *  - every tip that the damaged log showed is witnessed again, and
 *  - where the damaged log did not show its end, every active peer of the store was found equal once: whatever this node
 *    ever sent is then here. What it had not sent and cannot be read exists nowhere, so nothing can fork from it.
 * A person may end it sooner and take the fork, which converges as any other does. It is recorded before the repaired log
 * is put in place, so a crash does not end it.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import { equalBytes, type PublicKey, type StoreId } from '@lattice/model'
import type { WriteHold } from './meta-db.ts'
import type { NodeContext } from './node-context.ts'
import { activePeers, type TablesOf } from './store-peers.ts'

const ANYWAY = 'or run `lattice store repair --accept-fork` to write without it'

/** Why the store must not be written to yet; undefined when it may, and from then on. */
export function whyHeld(
  { meta, id: self }: NodeContext,
  kernel: Pick<Kernel, 'storeId' | 'has' | 'tables'>,
  tablesOf: TablesOf,
): string | undefined {
  const hold = meta.writeHold(kernel.storeId)
  if (hold === undefined) return undefined
  const missing = hold.tips.filter((tip) => !kernel.has(tip)).length
  if (missing > 0) {
    return `the log was repaired and this node's own last write is not here again: connect a peer that has it, ${ANYWAY}`
  }
  const uncompared = hold.isEndKnown ? 0 : countUncompared(hold, activePeers(kernel.tables(), self, tablesOf))
  if (uncompared > 0) {
    return `the log was repaired and may lack writes of this node that ${uncompared} of its peers have: connect them, ${ANYWAY}`
  }
  meta.removeWriteHold(kernel.storeId)
  return undefined
}

function countUncompared({ compared }: WriteHold, peers: readonly PublicKey[]): number {
  return peers.filter((peer) => !compared.some((other) => equalBytes(other, peer))).length
}

/** The replica here was found equal to the peer's. */
export function noteCompared({ meta }: NodeContext, storeId: StoreId, peer: PublicKey): void {
  if (meta.writeHold(storeId) !== undefined) meta.addComparedPeer(storeId, peer)
}
