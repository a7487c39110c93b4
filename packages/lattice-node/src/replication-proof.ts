/**
 * Whether some single other peer provably holds everything of a store that is here.
 *
 * Two things prove it: equal digests, of what a connected peer last said that it holds and what is here now; and what a
 * peer wrote itself, once its own intentions have all that is here in their past. Acks are left out, as nobody loses
 * anything with them. A peer that is connected and says nothing of the store has it no more, whatever it wrote once.
 *
 * Several peers that hold everything between them prove nothing: each of them may be gone by tomorrow.
 *
 * @module
 */
import { equalBytes, type PublicKey } from '@lattice/model'
import type { NodeContext } from './node-context.ts'
import type { PeerSync } from './store-types.ts'
import type { OpenStore } from './open-store.ts'
import { replicaPeers, type TablesOf, writingPeers } from './store-peers.ts'
import { peerSync } from './sync-state.ts'

/** What is known of one other peer. */
export interface PeerEvidence {
  readonly peer: PublicKey
  readonly isOnline: boolean
  readonly sync: PeerSync
  /** Intentions here that it has not shown to have seen; undefined for one that writes nothing here. */
  readonly unseen: number | undefined
}

export type ReplicationProof =
  | { readonly kind: 'held'; readonly by: PublicKey; readonly how: 'digest' | 'acks' }
  | {
      readonly kind: 'unproven'
      /** The peer that lacks the least by what is known, and how much that is. */
      readonly best: PublicKey | undefined
      readonly unproven: number | undefined
    }

/** Pure. */
export function judgeReplication(evidence: readonly PeerEvidence[]): ReplicationProof {
  const equal = evidence.find(({ sync }) => sync === 'synced')
  if (equal !== undefined) return { kind: 'held', by: equal.peer, how: 'digest' }
  const telling = evidence.filter(({ isOnline, sync }) => !(isOnline && sync === 'unknown'))
  const writing = telling.flatMap(({ peer, unseen }) => (unseen === undefined ? [] : [{ peer, unseen }]))
  const [best] = writing.toSorted((a, b) => a.unseen - b.unseen)
  if (best?.unseen === 0) return { kind: 'held', by: best.peer, how: 'acks' }
  const [other] = telling
  return { kind: 'unproven', best: best?.peer ?? other?.peer, unproven: best?.unseen }
}

/** What is known of the other peers of an open store. */
export function gatherEvidence(context: NodeContext, store: OpenStore, tablesOf: TablesOf): readonly PeerEvidence[] {
  const { kernel } = store
  const tables = kernel.tables()
  const network = context.network()
  const writing = writingPeers(tables, tablesOf)
  return replicaPeers(tables, context.id, tablesOf).map((peer) => ({
    peer,
    isOnline: network?.presence(peer)?.connected === true,
    sync: peerSync(context, store, peer),
    unseen: writing.some((other) => equalBytes(other, peer)) ? kernel.lag(peer).unseen : undefined,
  }))
}
