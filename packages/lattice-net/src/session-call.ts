/**
 * What sessions ask of their surroundings, as data: ingest these, read those, redeem a token.
 *
 * Machines read small things of a store (its digest, its range index) directly; everything that may take long or wait
 * goes through here, so that the shell decides when, and one slow store holds up only its own sessions.
 *
 * @module
 */
import type { IngestOutcome, IntentionId, PublicKey, SignedIntention, StoreId, WitnessSeq } from '@lattice/model'
import type { Hash, LatticeErrorCode } from '@lattice/model'
import type {
  ChainSpan,
  FoundationRead,
  IntentionsRead,
  PastReader,
  PrunedReplica,
  RemovalProof,
  ReplicaDigest,
  ReplicatedStore,
  RowPlace,
  SnapshotRead,
  SpansRead,
  WitnessPageRead,
  WriterRefused,
} from '@lattice/net-types'
import type { ArrivedRun } from './gossip/gossip-run.ts'

export type { ClaimedDigest } from './claimed-digest.ts'

/** A store as one peer may use it. */
export interface SessionStore extends Omit<PrunedReplica, 'onPruned'> {
  readonly id: StoreId
  readonly digest: () => ReplicaDigest
  readonly rangeIndex: ReplicatedStore['rangeIndex']
  readonly missing: ReplicatedStore['missing']
  readonly wanted: ReplicatedStore['wanted']
  readonly read: ReplicatedStore['read']
  readonly tipOf: ReplicatedStore['tipOf']
  readonly readChain: ReplicatedStore['readChain']
  readonly chainTips: ReplicatedStore['chainTips']
  readonly chainId: ReplicatedStore['chainId']
  readonly readSpans: ReplicatedStore['readSpans']
  readonly witnessPage: ReplicatedStore['witnessPage']
  readonly ingest: (intentions: readonly SignedIntention[]) => Promise<readonly IngestOutcome[]>
  /** It is being made, beside one of its id that may be in use: what it comes to is not what this node holds. */
  readonly isApart?: boolean
  /** Whether the peer may use it now: asked again at every frame. */
  readonly allowed: () => boolean
  /** Where it may not: because it was removed, and is told so. */
  readonly isRevoked: () => boolean
}

/** A position in the witness log of one peer. */
export interface BootstrapPosition {
  /** The last record taken in. */
  readonly seq: WitnessSeq
  /** Its chain hash. */
  readonly hash: Hash
}

/** Where a peer may be reached. */
export interface PeerHint {
  readonly peer: PublicKey
  readonly addresses: readonly string[]
}

/** What a joiner shows. Everything but `peer` is its own claim, within the bounds of the protocol. */
export interface JoinAttempt {
  readonly storeId: StoreId
  readonly secret: Uint8Array
  readonly peer: PublicKey
  readonly name: string
  readonly addresses: readonly string[]
}

export interface JoinGrant {
  readonly kind: 'granted'
  readonly storeType: string
  readonly witnessCount: number
  /** Others to bootstrap from. */
  readonly peers: readonly PeerHint[]
}

/** Why a token is not redeemed, as the error the joiner gets. */
export type JoinRefusalCode = Extract<
  LatticeErrorCode,
  | 'TOKEN_UNKNOWN'
  | 'TOKEN_EXPIRED'
  | 'TOKEN_USED'
  | 'TOKEN_REVOKED'
  | 'STORE_NOT_FOUND'
  | 'STORE_NOT_READY'
  | 'REVOKED'
  | 'CLOCK_SKEW'
>

export interface JoinRefusal {
  readonly kind: 'refused'
  readonly code: JoinRefusalCode
}

/** Redeems tokens: supplied by whoever keeps the invites. */
export interface JoinHandler {
  /**
   * Checks and uses up a token in one step, so that no two calls pass on its last use. Resolves once the admission is
   * durable. Hostile input ends in a refusal; a rejection is a failure of this node.
   */
  readonly redeem: (attempt: JoinAttempt) => Promise<JoinGrant | JoinRefusal>
}

export type SessionCall =
  | {
      readonly kind: 'ingest'
      readonly store: SessionStore
      readonly intentions: readonly SignedIntention[]
    }
  /** Takes in a run that gossip brought; one that was only announced is fetched first. */
  | { readonly kind: 'take_run'; readonly store: SessionStore; readonly arrived: ArrivedRun }
  | {
      readonly kind: 'read'
      readonly store: SessionStore
      readonly ids: readonly IntentionId[]
      readonly maxBytes: number
    }
  | {
      readonly kind: 'read_spans'
      readonly store: SessionStore
      readonly spans: readonly ChainSpan[]
      readonly maxBytes: number
    }
  | {
      readonly kind: 'read_chain'
      readonly store: SessionStore
      readonly target: IntentionId
      readonly since: IntentionId | undefined
      readonly limit: number
    }
  | { readonly kind: 'read_page'; readonly store: SessionStore; readonly fromSeq: number; readonly limit: number }
  | {
      readonly kind: 'read_foundation'
      readonly store: Pick<SessionStore, 'readFoundation'>
      readonly base: IntentionId
      readonly after: number
    }
  | {
      readonly kind: 'read_snapshot'
      readonly store: SessionStore
      readonly epoch: IntentionId
      readonly after: RowPlace | undefined
    }
  | { readonly kind: 'read_past'; readonly reader: PastReader; readonly maxBytes: number }
  /** Takes in what is to show that this node was removed. */
  | { readonly kind: 'add_proof'; readonly proof: RemovalProof; readonly items: readonly Uint8Array[] }
  | { readonly kind: 'end_proof'; readonly proof: RemovalProof }
  | { readonly kind: 'redeem'; readonly attempt: JoinAttempt }
  /** Waits until there is room for more of what was handed over. */
  | { readonly kind: 'drain' }
  /** Waits for another turn of the event loop: what is at hand takes more than one. */
  | { readonly kind: 'next_turn' }

export type SessionAnswer =
  | { readonly kind: 'ingested'; readonly outcomes: readonly IngestOutcome[] }
  | { readonly kind: 'loaded'; readonly read: IntentionsRead }
  | { readonly kind: 'spans'; readonly read: SpansRead }
  | { readonly kind: 'chain'; readonly intentions: readonly SignedIntention[] }
  | { readonly kind: 'page'; readonly page: WitnessPageRead }
  | { readonly kind: 'foundation'; readonly read: FoundationRead | undefined }
  | { readonly kind: 'snapshot'; readonly read: SnapshotRead | undefined }
  | { readonly kind: 'past'; readonly intentions: readonly SignedIntention[] }
  | { readonly kind: 'proof_added'; readonly refused: WriterRefused | undefined }
  | { readonly kind: 'proof_ended'; readonly result: WriterRefused | boolean }
  | { readonly kind: 'redeemed'; readonly result: JoinGrant | JoinRefusal }
  | { readonly kind: 'drained' }
  | { readonly kind: 'turned' }
