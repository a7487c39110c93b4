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
import { type ClaimedDigest, comparedWith } from '@lattice/net'
import type { NodeContext } from './node-context.ts'
import type { PeerSync } from './store-types.ts'
import { replicaPeers, type TablesOf } from './store-peers.ts'

/** How a peer's last digest of the store compares with the present one of this node. */
export function peerSync(
  context: NodeContext,
  { kernel }: { readonly kernel: ComparedKernel },
  peer: PublicKey,
): PeerSync {
  const theirs = context.network()?.peerDigest(peer, kernel.storeId)
  // Over a base that is not here nothing can be compared.
  if (theirs === undefined || comparedWith(kernel, theirs) === undefined) return 'unknown'
  return holdsSame(kernel, theirs) ? 'synced' : 'differs'
}

/** What has to be known of a kernel, to compare what it holds with what a peer says. */
type ComparedKernel = Pick<Kernel, 'storeId' | 'digest' | 'base' | 'over'>

/** True where a peer said that it holds what is here now, over the base of which it spoke. */
function holdsSame(kernel: ComparedKernel, theirs: ClaimedDigest): boolean {
  const ours = comparedWith(kernel, theirs)
  if (ours === undefined || ours.witnessCount !== theirs.witnessCount) return false
  return equalBytes(ours.fingerprint, theirs.fingerprint)
}

/**
 * The same for whoever asks about all peers. One that is no neighbour is visited now and then: while it is there and said
 * then what is here now, it is synced; of any other nothing is known. It is for people: nothing is proved by it.
 */
export function shownSync(context: NodeContext, store: { readonly kernel: ComparedKernel }, peer: PublicKey): PeerSync {
  const network = context.network()
  const presence = network?.presence(peer)
  if (presence?.connected === true) return peerSync(context, store, peer)
  const past = presence?.online === true ? network?.pastDigest(peer, store.kernel.storeId) : undefined
  return past !== undefined && holdsSame(store.kernel, past) ? 'synced' : 'unknown'
}

/**
 * True for a peer that said, now or before its last connection ended, that it holds exactly what is here now. It was told
 * all of it then; whether it still has it is another question.
 */
export function wasToldAll(context: NodeContext, store: { readonly kernel: ComparedKernel }, peer: PublicKey): boolean {
  const { storeId } = store.kernel
  const past = context.network()?.pastDigest(peer, storeId)
  return peerSync(context, store, peer) === 'synced' || (past !== undefined && holdsSame(store.kernel, past))
}

/** Connected peers of a store, by how they compare. */
export interface SyncCounts {
  /** Others that were heard of of late, connected or not. */
  readonly online: number
  readonly connected: number
  readonly synced: number
  readonly differing: number
}

export function countSynced(
  context: NodeContext,
  store: { readonly kernel: ComparedKernel & Pick<Kernel, 'tables'> },
  tablesOf: TablesOf,
): SyncCounts {
  const network = context.network()
  const peers = replicaPeers(store.kernel.tables(), context.id, tablesOf)
  const states = peers
    .filter((peer) => network?.presence(peer)?.connected === true)
    .map((peer) => peerSync(context, store, peer))
  return {
    online: peers.filter((peer) => network?.presence(peer)?.online === true).length,
    connected: states.length,
    synced: states.filter((state) => state === 'synced').length,
    differing: states.filter((state) => state === 'differs').length,
  }
}
