/**
 * What the network tells of itself.
 *
 * @module
 */
import type { IntentionId, LatticeError, PublicKey, StoreId } from '@lattice/model'
import type { CloseReason } from '@lattice/net-types'
import type { ReconcileOutcome } from './reconcile.ts'

/** What came of a session with one peer over one store. */
export type SyncOutcome =
  | (ReconcileOutcome & { readonly kind: 'done'; readonly peer: PublicKey; readonly durationMs: number })
  | {
      readonly kind: 'failed'
      readonly storeId: StoreId
      readonly peer: PublicKey
      readonly error: LatticeError
      /** No session was held: there was no connection and none could be made. */
      readonly unreached?: true
    }

export type NetworkEvent =
  | { readonly kind: 'peer_connected'; readonly peer: PublicKey; readonly outgoing: boolean }
  | {
      readonly kind: 'peer_disconnected'
      readonly peer: PublicKey
      readonly reason: string
      /** Who ended the connection. */
      readonly by: CloseReason['by']
    }
  /** The peer is there, whether connected or not; one that comes and goes is told of once it stays. */
  | { readonly kind: 'peer_online'; readonly peer: PublicKey }
  | {
      readonly kind: 'peer_offline'
      readonly peer: PublicKey
      /** Wall clock of this node when it was last heard of. */
      readonly lastSeenMs: number
    }
  | { readonly kind: 'sync_result'; readonly outcome: SyncOutcome }
  /**
   * The peer says that this node was removed from the store, by these epochs. It is so as far as they are `held` here: the
   * store knows then what became of this node. What one that lies names never comes.
   */
  | {
      readonly kind: 'revoked'
      readonly storeId: StoreId
      readonly peer: PublicKey
      readonly epochs: readonly IntentionId[]
      readonly held: boolean
    }
  /**
   * What this node lacks of the store was deleted by others, below this epoch, which is not here: it has to be fetched by
   * its snapshot. The peer says so, which proves nothing: what it serves then has to.
   */
  | { readonly kind: 'returning'; readonly storeId: StoreId; readonly peer: PublicKey; readonly base: IntentionId }
  /** Where the peer says it can be reached: a hint, to be tried. */
  | { readonly kind: 'addresses_learned'; readonly peer: PublicKey; readonly addresses: readonly string[] }
  /** This node's clock against the median of its peers'; told when `skewed` changes. */
  | { readonly kind: 'clock_skew'; readonly aheadMs: number; readonly skewed: boolean }
  /** The peer broke the protocol or sent what it should not have, and was scored or shut out for it. */
  | { readonly kind: 'misbehaviour'; readonly peer: PublicKey; readonly code: string; readonly message: string }

/** A peer as seen from here. */
export interface PeerPresence {
  readonly peer: PublicKey
  /** Heard of of late: over its connection, or as it was visited. */
  readonly online: boolean
  readonly connected: boolean
  /** True when this side dialled; of the last connection. */
  readonly outgoing: boolean
  /** Wall clock of this node when the connection began, and when the peer was last heard of. */
  readonly sinceMs: number
  readonly lastSeenMs: number
}

/** A peer that is connected now. */
export interface ConnectedPresence extends PeerPresence {
  /** Name of the transport that takes new streams: `tls`, `iroh`, … */
  readonly path: string
}
