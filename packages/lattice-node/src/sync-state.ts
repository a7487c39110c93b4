/**
 * How this node's replica of a store compares with those of its connected peers.
 *
 * "Synced" is said of equal digests only: of what a peer last said that it holds, and what is here now. A peer that has
 * said nothing yet is unknown, neither one nor the other.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import { equalBytes, type PublicKey } from '@lattice/model'
import type { NodeContext } from './node-context.ts'
import type { PeerSync } from './store-types.ts'
import { replicaPeers, type TablesOf } from './store-peers.ts'

/** How a peer's last digest of the store compares with the present one of this node. */
export function peerSync(
  context: NodeContext,
  { kernel }: { readonly kernel: Pick<Kernel, 'storeId' | 'digest'> },
  peer: PublicKey,
): PeerSync {
  const theirs = context.network()?.peerDigest(peer, kernel.storeId)
  if (theirs === undefined) return 'unknown'
  const ours = kernel.digest()
  const isEqual = theirs.witnessCount === ours.witnessCount && equalBytes(theirs.fingerprint, ours.fingerprint)
  return isEqual ? 'synced' : 'differs'
}

/** Connected peers of a store, by how they compare. */
export interface SyncCounts {
  readonly connected: number
  readonly synced: number
  readonly differing: number
}

export function countSynced(
  context: NodeContext,
  store: { readonly kernel: Pick<Kernel, 'storeId' | 'digest' | 'tables'> },
  tablesOf: TablesOf,
): SyncCounts {
  const network = context.network()
  const states = replicaPeers(store.kernel.tables(), context.id, tablesOf)
    .filter((peer) => network?.presence(peer)?.online === true)
    .map((peer) => peerSync(context, store, peer))
  return {
    connected: states.length,
    synced: states.filter((state) => state === 'synced').length,
    differing: states.filter((state) => state === 'differs').length,
  }
}
