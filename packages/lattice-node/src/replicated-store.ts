/**
 * A kernel as the network sees it: the port of `@lattice/net-types`, with the question who may take part.
 *
 * The answer to a stranger is the same as for a store that does not exist, so whether a store is here cannot be probed.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import type { PublicKey } from '@lattice/model'
import type { PeerAccess, ReplicatedStore } from '@lattice/net-types'

export interface ReplicatedStoreOptions {
  readonly kernel: Kernel
  readonly storeType: string
  /** Asked again for every session and frame. */
  readonly mayReplicate: (peer: PublicKey) => boolean
}

/** Adapts a kernel for the network. */
export function createReplicatedStore({ kernel, storeType, mayReplicate }: ReplicatedStoreOptions): ReplicatedStore {
  return {
    id: kernel.storeId,
    storeType,
    access: (peer): PeerAccess => (mayReplicate(peer) ? 'full' : 'none'),
    digest: kernel.digest,
    rangeIndex: kernel.rangeIndex,
    missing: kernel.missing,
    read: kernel.read,
    readChain: kernel.readChain,
    witnessPage: kernel.witnessPage,
    ingest: kernel.ingest,
    onWitnessed: kernel.onWitnessed,
  }
}
