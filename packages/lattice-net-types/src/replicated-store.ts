/**
 * A store as the network sees it: something with a digest, a range index and a
 * way in. The network knows neither the kernel nor a store type.
 *
 * @module
 */
import type {
  Cancel,
  IngestOutcome,
  IntentionId,
  ParsedIntention,
  PublicKey,
  SignedIntention,
  StoreId,
  WitnessRecord,
} from '@lattice/model'
import type { RangeIndex } from '@lattice/sync'
import type { PrunedReplica } from './pruned-replica.ts'
import type { RemovalProof } from './removal-proof.ts'
import type { ReplicaDigest } from './replica-digest.ts'

/**
 * `none`: the peer gets the answer it would get if the store did not exist. `revoked`: an epoch that is here removed it: it
 * is told so, is shown that epoch and what is in its past when it asks, and nothing is taken from it.
 */
export type PeerAccess = 'full' | 'revoked' | 'none'

/** Reads on where the read before ended. */
export interface PastReader {
  /** In causal order, closed runs, about `maxBytes` (at least one run); empty at the end. */
  readonly next: (maxBytes: number) => readonly SignedIntention[]
}

export interface WitnessPageRead {
  /** Ends with a signed record, unless empty. */
  readonly records: readonly WitnessRecord[]
  readonly headSeq: number
  /** The log is not whole where the page would begin: what was there is gone. */
  readonly isPruned?: true
}

export interface IntentionsRead {
  /** In causal order, closed runs; may be empty when the first alone is over the budget only if nothing was asked. */
  readonly intentions: readonly SignedIntention[]
  /** Ids that did not fit, to be asked for again. Unknown ids are left out of both. */
  readonly rest: readonly IntentionId[]
}

/** Where the chain of an author who did not fork ends. */
export interface ChainTip {
  readonly author: PublicKey
  /** Intentions before it on the way to the genesis: the author's first has 1, the genesis itself 0. */
  readonly position: number
  readonly id: IntentionId
}

/** Part of such a chain: the positions above `after`, up to `through`. */
export interface ChainSpan {
  readonly author: PublicKey
  /** -1: from the first on. */
  readonly after: number
  readonly through: number
}

export interface SpansRead {
  /** In causal order, closed runs; empty only when nothing was asked or found. */
  readonly intentions: readonly SignedIntention[]
  /** What did not fit, to be asked for again. */
  readonly rest: readonly ChainSpan[]
}

/** Intentions that became witnessed in one commit, in witness order. */
export interface WitnessedBatch {
  readonly intentions: readonly ParsedIntention[]
  /** The peer they came from; undefined for this node's own writes. */
  readonly source: PublicKey | undefined
}

export interface ReplicatedStore extends PrunedReplica {
  readonly id: StoreId
  readonly storeType: string
  /** Over the base, where there is one. */
  readonly digest: () => ReplicaDigest
  /** Asked at the start of every session and on every frame that names the store. */
  readonly access: (peer: PublicKey) => PeerAccess
  /** The epochs that removed the peer, sorted; empty for any other. */
  readonly revokedBy: (peer: PublicKey) => readonly IntentionId[]
  /** These, those that took some of its rights, and the admissions that gave them back; the latest first. */
  readonly recordsAbout: (peer: PublicKey) => readonly IntentionId[]
  /** Who admitted the peer again after an epoch took rights from it. */
  readonly readmittedBy: (peer: PublicKey) => readonly PublicKey[]
  /**
   * Who removed the peer although an epoch of its own would be decided first: what it holds against them may void that, where
   * history is not cut above it.
   */
  readonly juniorsAgainst: (peer: PublicKey) => readonly PublicKey[]
  /** True where history is cut above all that removed the peer: nothing that it holds against that is taken in. */
  readonly isOutForGood: (peer: PublicKey) => boolean
  /** Reads `epochs` and all in their past, without `known` and what is in theirs; ids that are not here are passed over. */
  readonly readPast: (epochs: readonly IntentionId[], known: readonly IntentionId[]) => PastReader
  /**
   * At which epoch a foundation shows a peer that it was removed, where the past of what removed it was cut here, or one of
   * those who admitted it again, by its own account, lost rights itself. Undefined where neither is so, and for any other peer. Its items are those of {@link PrunedReplica.readFoundation}.
   */
  readonly removalFoundation: (peer: PublicKey, admittedBy: readonly PublicKey[]) => IntentionId | undefined
  /** Takes in such a foundation of a peer. Undefined while another is, and where none could show anything. */
  readonly openRemovalProof: (from: PublicKey) => RemovalProof | undefined
  /** Where the chains of all authors end here, at most so many: they and their past are what is here. */
  readonly tipIds: (max: number) => readonly IntentionId[]
  /** Every epoch head was seen by all who have to; true where there is none. */
  readonly isEpochSettled: () => boolean
  /** The witnessed set as of this call, over the base where there is one; unchanged by later commits. */
  readonly rangeIndex: () => RangeIndex
  /** Those of `ids` that are not witnessed here, in the order given. */
  readonly missing: (ids: readonly IntentionId[]) => readonly IntentionId[]
  /**
   * Those of `ids` worth asking a peer for: not witnessed, and not held already with nothing but their time to wait for
   * (01 "Clocks"). In the order given.
   */
  readonly wanted: (ids: readonly IntentionId[]) => readonly IntentionId[]
  /** Reads witnessed intentions in witness order until about `maxBytes` are reached. */
  readonly read: (ids: readonly IntentionId[], maxBytes: number) => IntentionsRead
  /** The latest intention of the author here; of several tips any. */
  readonly tipOf: (author: PublicKey) => IntentionId | undefined
  /** Walks store_prev back from `target` to `since` (exclusive); oldest first, at most `limit`. */
  readonly readChain: (target: IntentionId, since: IntentionId | undefined, limit: number) => readonly SignedIntention[]
  /**
   * Where every author's chain ends, sorted by author. Undefined for more than `max` authors, and where one forked: then
   * the ends do not tell what is here.
   */
  readonly chainTips: (max: number) => readonly ChainTip[] | undefined
  /** What an author who did not fork has at a position; undefined where nothing is, or anything else is the case. */
  readonly chainId: (author: PublicKey, position: number) => IntentionId | undefined
  /** Reads spans of one store's chains, all in witness order, until about `maxBytes` are reached. Each author once. */
  readonly readSpans: (spans: readonly ChainSpan[], maxBytes: number) => SpansRead
  readonly witnessPage: (fromSeq: number, limit: number) => WitnessPageRead
  /** Verifies, stores and witnesses; one outcome per intention, in order. Durable when it resolves. */
  readonly ingest: (batch: readonly SignedIntention[], source: PublicKey) => Promise<readonly IngestOutcome[]>
  /** Called after each commit that witnessed something. */
  readonly onWitnessed: (listener: (batch: WitnessedBatch) => void) => Cancel
}
