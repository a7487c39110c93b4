/**
 * The last attempt to hand over what peers lack, before a node closes or stores are left.
 *
 * @module
 */
import { createAbortController } from '@lattice/model'
import { nodeClosed } from './errors.ts'
import type { NodeContext } from './node-context.ts'
import type { StoreEntry } from './store-entry.ts'
import type { StoreManager } from './store-manager.ts'
import { replicaPeers } from './store-peers.ts'
import { peerSync } from './sync-state.ts'

/** How long whoever stops waits for the peers. */
export const FINAL_SYNC_MS = 5_000

/** Sessions with each peer at most: one that was under way already may have begun before the last write. */
const FINAL_ROUNDS = 3

export interface FinalSyncOptions {
  /** All of the node when absent. */
  readonly entries?: readonly StoreEntry[]
  /** Also asks peers that last said they are equal: they may have let go of the store since. */
  readonly everybody?: boolean
  /** Stops waiting. */
  readonly signal?: AbortSignal
}

/** Reconciles every store that a connected peer may lack something of. Never rejects, never takes longer. */
export async function finalSync(
  context: NodeContext,
  manager: StoreManager,
  { entries = [...manager.entries.values()], everybody = false, signal }: FinalSyncOptions = {},
): Promise<void> {
  const network = context.network()
  if (network === undefined) return
  const connected = network.connectedPeers().map(({ peer }) => peer)
  if (connected.length === 0) return
  const controller = createAbortController()
  const cancel = context.scheduler.after(FINAL_SYNC_MS, () => controller.abort(nodeClosed()))
  const until = signal === undefined ? controller.signal : AbortSignal.any([controller.signal, signal])
  const work = entries.map(async ({ open, registered }) => {
    if (open === undefined || !registered) return
    const sharers = replicaPeers(open.kernel.tables(), context.id, manager.tablesOf).filter(
      (peer) => network.presence(peer)?.connected === true,
    )
    const lacks = (): boolean => sharers.some((peer) => peerSync(context, open, peer) !== 'synced')
    try {
      for (let round = 0; round < FINAL_ROUNDS; round += 1) {
        const isDue = lacks() || (everybody && round === 0 && sharers.length > 0)
        if (!isDue) return
        for await (const outcome of network.sync(open.id, until)) {
          context.logger.debug('close.synced', { storeId: open.id, peer: outcome.peer, kind: outcome.kind })
        }
      }
    } catch (error) {
      context.logger.debug('close.sync_stopped', { storeId: open.id, error })
    }
  })
  await Promise.all(work)
  cancel()
}
