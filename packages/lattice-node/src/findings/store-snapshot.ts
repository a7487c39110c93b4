/**
 * What is known of a store when somebody asks what is missing: facts alone, gathered at one moment.
 *
 * @module
 */
import type { AuthorLag } from '@lattice/kernel'
import type { FloatReason, Hash, IntentionId } from '@lattice/model'
import type { DialState, PeerStanding, PeerTroubles, SessionTrouble } from '@lattice/net'
import type { PeerSync, StoreFailure, StoreState } from '../store-types.ts'
import type { StoreRef } from './finding.ts'
import type { Named } from './words.ts'

/** A peer that takes part in a store, as the network knows it. */
export interface PeerSnapshot extends Named {
  /** Heard of of late, connected or not. */
  readonly online: boolean
  readonly connected: boolean
  /** This node is connected to other peers of the store, and leaves this one to them. */
  readonly elsewhere: boolean
  /** Away by agreement. */
  readonly dormant: boolean
  /** Wall time; 0 when it was not connected since the node started. */
  readonly lastSeenMs: number
  /** Where it was reached, or said that it can be. */
  readonly addresses: readonly string[]
  readonly dial: DialState | undefined
  readonly conduct: PeerStanding
  readonly mutedForMs: number
  readonly troubles: PeerTroubles
}

/** What is known of a peer's copy of one store. */
export interface ReplicaSnapshot {
  readonly peer: PeerSnapshot
  readonly sync: PeerSync
  /** By what it wrote itself; undefined for one that writes nothing, or was not heard of. */
  readonly lag: AuthorLag | undefined
  /** A session is under way. */
  readonly isSyncing: boolean
  readonly lastFailure: SessionTrouble | undefined
}

/** Intentions of one author that float for one reason. */
export interface FloatingGroup {
  readonly reason: FloatReason
  readonly author: Named
  readonly count: number
  /** What they wait for, where nobody here has it; its author where another intention tells. */
  readonly cause: { readonly id: IntentionId; readonly author: Named | undefined } | undefined
  /** Wall times of their authors: of the first and the last of them. */
  readonly firstMs: number
  readonly lastMs: number
}

export interface FloatingSnapshot {
  /** What the store compares timestamps with: not of necessity the time of this machine. */
  readonly nowMs: number
  readonly groups: readonly FloatingGroup[]
  /** Looked at, of how many there are; and how many were dropped for want of room. */
  readonly listed: number
  readonly total: number
  readonly evicted: number
}

export interface BootstrapSnapshot {
  readonly peers: readonly Named[]
  readonly attempts: number
  readonly lastFailure: StoreFailure | undefined
  readonly progress: { readonly done: number; readonly total: number } | undefined
}

export interface UnsettledSnapshot {
  readonly epoch: IntentionId
  readonly seq: bigint
  /** By its author's clock. */
  readonly sinceMs: number
  readonly waitingFor: readonly Named[]
}

/** An epoch at which nodes have come to different states. */
export interface DivergedSnapshot {
  readonly epoch: IntentionId
  readonly seq: bigint
  /** Undefined where this node has no state there. */
  readonly ownRoot: Hash | undefined
  readonly others: readonly { readonly peer: Named; readonly root: Hash }[]
  /** As many peers signed another state as signed this node's own. */
  readonly isOutvoted: boolean
}

export interface PruningSnapshot {
  readonly epoch: IntentionId
  /** When the epoch was made, by its author's clock. */
  readonly sinceMs: number
  readonly state: 'waiting' | 'pruning' | 'failed'
  readonly waitsOn: 'settlement' | 'finality' | 'agreement' | 'snapshot' | 'state' | 'beside' | undefined
  readonly waitsFor: readonly Named[]
  readonly failure: StoreFailure | undefined
}

/** The kernel's side; undefined while the store is not open. */
export interface OpenSnapshot {
  readonly headless: boolean
  readonly storeType: string
  readonly held: string | undefined
  readonly projection: { readonly appliedSeq: number; readonly headSeq: number }
  readonly stalled:
    | (StoreFailure & { readonly seq: number; readonly id: IntentionId; readonly sinceMs: number })
    | undefined
  readonly floating: FloatingSnapshot
  /** Authors with branches that no write has joined. */
  readonly openForks: readonly Named[]
  /** The newest epoch, while somebody has yet to acknowledge it. */
  readonly unsettled: UnsettledSnapshot | undefined
  readonly diverged: readonly DivergedSnapshot[]
  /** Why the state at the newest epoch is not kept. */
  readonly snapshotFailure: StoreFailure | undefined
  /** An epoch for pruning whose part of the history is still here; undefined where there is none. */
  readonly pruning: PruningSnapshot | undefined
  /** Own writes whose causes are gone. */
  readonly stranded: number
  readonly rejections: number
  readonly replicas: readonly ReplicaSnapshot[]
  /** What no other peer is known to hold; undefined where a connected one holds everything. */
  readonly unreplicated: AuthorLag | undefined
  /** Its peers are those of another store here, where the same is said of them. */
  readonly isToldAbove: boolean
}

export interface StoreSnapshot {
  readonly ref: StoreRef
  readonly state: StoreState
  readonly failure: StoreFailure | undefined
  readonly bootstrap: BootstrapSnapshot | undefined
  readonly awaiting: readonly Named[]
  /** Others have cut its history without what was cut here: neither can take in what the other has. */
  readonly isCutApart: boolean
  readonly open: OpenSnapshot | undefined
}

/** What is the same for every store. */
export interface Circumstances {
  readonly nowMs: number
  readonly hasNetwork: boolean
}
