/**
 * The last attempt to hand over what peers lack, before a node closes.
 *
 * @module
 */
import { createAbortController } from '@lattice/model'
import { nodeClosed } from './errors.ts'
import type { NodeContext } from './node-context.ts'
import type { StoreManager } from './store-manager.ts'
import { replicaPeers } from './store-peers.ts'
import { peerSync } from './sync-state.ts'

/** How long a node that closes waits for its peers. */
export const FINAL_SYNC_MS = 5_000

/** Reconciles every store that a connected peer may lack something of. Never rejects, never takes longer. */
export async function finalSync(context: NodeContext, manager: StoreManager): Promise<void> {
  const network = context.network()
  if (network === undefined) return
  const connected = network.connectedPeers().map(({ peer }) => peer)
  if (connected.length === 0) return
  const controller = createAbortController()
  const cancel = context.scheduler.after(FINAL_SYNC_MS, () => controller.abort(nodeClosed()))
  const work = [...manager.entries.values()].map(async ({ open, ready }) => {
    if (open === undefined || !ready) return
    const sharers = replicaPeers(open.kernel.tables(), context.id, manager.tablesOf)
    const lacking = sharers.filter(
      (peer) => network.presence(peer)?.online === true && peerSync(context, open, peer) !== 'synced',
    )
    if (lacking.length === 0) return
    try {
      for await (const outcome of network.sync(open.id, controller.signal)) {
        context.logger.debug('close.synced', { storeId: open.id, peer: outcome.peer, kind: outcome.kind })
      }
    } catch (error) {
      context.logger.debug('close.sync_stopped', { storeId: open.id, error })
    }
  })
  await Promise.all(work)
  cancel()
}
