/**
 * A kernel as the network sees it: the port of `@lattice/net-types`, with the question who may take part.
 *
 * The answer to a stranger is the same as for a store that does not exist, so whether a store is here cannot be probed.
 *
 * @module
 */
import type { Kernel } from '@lattice/kernel'
import { type IntentionId, MAX_DRIFT_MS, type PublicKey } from '@lattice/model'
import type { PeerAccess, ReplicatedStore } from '@lattice/net-types'
import { createPrunedReplica } from './pruned-replica.ts'

export interface ReplicatedStoreOptions {
  readonly kernel: Kernel
  readonly storeType: string
  /** Asked again for every session and frame. */
  readonly mayReplicate: (peer: PublicKey) => boolean
  /** Its peers are those of the store above: what that says of a peer counts before an epoch here. */
  readonly isInherited: () => boolean
}

/** Adapts a kernel for the network. */
export function createReplicatedStore(options: ReplicatedStoreOptions): ReplicatedStore {
  const { kernel, storeType, isInherited } = options
  return {
    ...createPrunedReplica(kernel),
    id: kernel.storeId,
    storeType,
    access: (peer) => accessOf(options, peer),
    revokedBy: kernel.revokedBy,
    recordsAbout: kernel.recordsAbout,
    readmittedBy: kernel.readmittedBy,
    juniorsAgainst: kernel.juniorsAgainst,
    isOutForGood: kernel.isOutForGood,
    removalFoundation: kernel.removalFoundation,
    // What the epochs of a store below mean depends on the one above, and that is where this node's removal is shown.
    openRemovalProof: (from) => (isInherited() ? undefined : kernel.openRemovalProof(from)),
    readPast: kernel.readPast,
    tipIds: kernel.tipIds,
    isEpochSettled: kernel.isEpochSettled,
    digest: kernel.digest,
    rangeIndex: kernel.rangeIndex,
    missing: kernel.missing,
    wanted: (ids) => {
      const missing = kernel.missing(ids)
      return kernel.stats().floatingCount === 0
        ? missing
        : missing.filter((id) => !waitsHere(kernel, id, kernel.time().nowMs))
    },
    read: kernel.read,
    tipOf: kernel.tipOf,
    readChain: kernel.readChain,
    chainTips: kernel.chainTips,
    chainId: kernel.chainId,
    readSpans: kernel.readSpans,
    witnessPage: (fromSeq, limit) => {
      const isPruned = fromSeq < (kernel.base()?.fromSeq ?? 0)
      return isPruned
        ? { records: [], headSeq: kernel.stats().witnessCount, isPruned }
        : kernel.witnessPage(fromSeq, limit)
    },
    ingest: kernel.ingest,
    onWitnessed: kernel.onWitnessed,
  }
}

/**
 * An epoch counts as soon as it is witnessed: tables may be behind it for as long as they are made anew. Where the peers
 * are those of the store above, one that was admitted again there takes part although no epoch here says so.
 */
function accessOf({ kernel, mayReplicate, isInherited }: ReplicatedStoreOptions, peer: PublicKey): PeerAccess {
  if (kernel.revokedBy(peer).length === 0) return mayReplicate(peer) ? 'full' : 'none'
  return isInherited() && mayReplicate(peer) ? 'full' : 'revoked'
}

/**
 * True for what floats because of its time, and for what follows it: that is later still; and for what is beyond a cutoff
 * and would come again from everybody who does not know of it. What is not authentic yet is
 * left out, since the copy that is here may lack the signature that a peer's has.
 */
function waitsHere(kernel: Kernel, id: IntentionId, nowMs: number): boolean {
  const held = kernel.get(id)
  if (held?.floating === undefined || held.floating === 'unsigned') return false
  if (held.floating === 'revoked') return true
  return held.floating === 'future' || held.parsed.intention.timestamp.wall > nowMs + MAX_DRIFT_MS
}
