/**
 * What happens on a node.
 *
 * @module
 */
import type { AuthorLag, SignedRoot } from '@lattice/kernel'
import type { Hash, IntentionId, PublicKey, StoreId } from '@lattice/model'
import type { SyncOutcome } from '@lattice/net'
import type { system } from '@lattice/proto'
import type { StoreFailure, StoreSummary } from './store-types.ts'

/** What happens on a node. `time` is wall time. */
export type NodeEvent = { readonly time: number } & NodeEventBody

export type NodeEventBody =
  | { readonly kind: 'store_ready'; readonly storeId: StoreId; readonly storeType: string }
  | { readonly kind: 'join_failed'; readonly storeId: StoreId; readonly failure: StoreFailure }
  | { readonly kind: 'sync_result'; readonly outcome: SyncOutcome }
  | { readonly kind: 'peer_online'; readonly peer: PublicKey }
  | { readonly kind: 'peer_offline'; readonly peer: PublicKey }
  | { readonly kind: 'fork_detected'; readonly storeId: StoreId; readonly author: PublicKey }
  | {
      readonly kind: 'stalled'
      readonly storeId: StoreId
      readonly seq: number
      readonly intentionId: Uint8Array
      readonly error: string
      /** Wall time. */
      readonly since: number
    }
  /** Damage was met in a store that was in use; it is in the state `failed` now. */
  | { readonly kind: 'store_failed'; readonly storeId: StoreId; readonly failure: StoreFailure }
  | { readonly kind: 'resumed'; readonly storeId: StoreId; readonly appliedSeq: number }
  /** State is being built, which takes long: after a rebuild was asked for, or with an opener that is new here. */
  | { readonly kind: 'projection_progress'; readonly storeId: StoreId; readonly done: number; readonly total: number }
  | { readonly kind: 'rebuilt'; readonly storeId: StoreId; readonly appliedSeq: number }
  | {
      readonly kind: 'bootstrap_progress'
      readonly storeId: StoreId
      /** Records of a peer's log that are here, of how many. Counts anew when the log of another peer takes over. */
      readonly done: number
      readonly total: number
      /** Fetched since the attempt began. */
      readonly bytes: number
      /** Peers that it is fetched from now. */
      readonly peers: number
    }
  | { readonly kind: 'clock_skew'; readonly aheadMs: number }
  /** It appeared, or its state, name or path is another. */
  | { readonly kind: 'store_changed'; readonly summary: StoreSummary }
  | { readonly kind: 'store_removed'; readonly storeId: StoreId }
  /** It was admitted, or its status, role or name is another. */
  | {
      readonly kind: 'peer_changed'
      readonly storeId: StoreId
      readonly peer: PublicKey
      readonly name: string
      readonly status: system.PeerStatus
      readonly role: system.Role
    }
  /** This node was removed from the store, by the epoch's author where that is known: it may read what it has. */
  | {
      readonly kind: 'self_revoked'
      readonly storeId: StoreId
      readonly by: PublicKey | undefined
      readonly epoch: IntentionId | undefined
    }
  /** Everybody who has to has seen the epoch. */
  | { readonly kind: 'epoch_settled'; readonly storeId: StoreId; readonly epoch: IntentionId; readonly seq: bigint }
  /**
   * One of the newest epochs is not settled: it waits for these peers, or for these only from now on. Ascending by key, 64
   * at most; `total`: of how many.
   */
  | {
      readonly kind: 'epoch_waiting'
      readonly storeId: StoreId
      readonly epoch: IntentionId
      readonly seq: bigint
      readonly waitingFor: readonly PublicKey[]
      readonly total: number
    }
  /** Nodes have come to different states at an epoch; nothing is pruned while that stands. See `SnapshotEvent` of the kernel. */
  | {
      readonly kind: 'state_divergence'
      readonly storeId: StoreId
      readonly epoch: IntentionId
      readonly ownRoot: Hash | undefined
      readonly others: readonly SignedRoot[]
    }
  /** History of the store is being deleted. */
  | { readonly kind: 'prune_progress'; readonly storeId: StoreId; readonly done: number; readonly total: number }
  /** So many intentions below the epoch are gone; bytes are those of the log. */
  | {
      readonly kind: 'pruned'
      readonly storeId: StoreId
      readonly epoch: IntentionId
      readonly intentions: number
      readonly bytesBefore: number
      readonly bytesAfter: number
    }
  /**
   * What this node lacked of the store was deleted by others below this epoch: the store was made anew from theirs. Of this
   * node's own writes that nobody had, `kept` are in it; `waiting` others cite what is gone, count nowhere, and are to be
   * written anew.
   */
  | {
      readonly kind: 'returned'
      readonly storeId: StoreId
      readonly base: IntentionId
      readonly kept: number
      readonly waiting: number
    }
  /** So many writes of an author, which counted until now, are beyond where its rights end. `own`: this node's. */
  | {
      readonly kind: 'excluded'
      readonly storeId: StoreId
      readonly author: PublicKey
      readonly count: number
      readonly epoch: IntentionId | undefined
      readonly own: boolean
    }
  /** It began to be behind, or has caught up. */
  | { readonly kind: 'peer_lag'; readonly storeId: StoreId; readonly peer: PublicKey; readonly lag: AuthorLag }
  | {
      readonly kind: 'invite_claimed'
      readonly storeId: StoreId
      readonly tokenHash: Hash
      readonly claimedBy: PublicKey
      readonly usesLeft: number
    }
