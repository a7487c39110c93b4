/**
 * What a topic remembers of its broadcasts: ids by which copies are recognised, and the newest messages themselves, from
 * which grafts are answered. Both bounded, the oldest forgotten first.
 *
 * @module
 */
import { type IdKey, idKey, type IntentionId, type PublicKey } from '@lattice/model'
import { SEEN_IDS, SENDS_PER_NEIGHBOR, TREE_CACHE_BYTES, TREE_CACHE_MESSAGES } from '../limits.ts'
import type { MessageRef } from './broadcast-tree.ts'

/** A message that was broadcast or accepted here. */
export interface SeenMessage extends MessageRef {
  /** Hops it took to here. */
  readonly round: number
  /** The peer it was accepted from; undefined for what this node sent, or got on another way. */
  readonly from: PublicKey | undefined
}

/** A message that can still be given. */
export interface CachedMessage<P> extends SeenMessage {
  readonly payload: P
  readonly bytes: number
  /** How often each neighbour was sent it. */
  readonly sentTo: Map<IdKey, number>
}

/** Starts empty. */
export class MessageCache<P> {
  readonly #sizeOf: (payload: P) => number
  readonly #seen = new Map<IdKey, SeenMessage>()
  readonly #kept = new Map<IdKey, CachedMessage<P>>()
  #keptBytes = 0

  constructor(sizeOf: (payload: P) => number) {
    this.#sizeOf = sizeOf
  }

  seen(id: IntentionId): SeenMessage | undefined {
    return this.#seen.get(idKey(id))
  }
  kept(id: IntentionId): CachedMessage<P> | undefined {
    return this.#kept.get(idKey(id))
  }
  /** Remembers an id that is not to be given from here. */
  note(message: SeenMessage): void {
    this.#seen.set(idKey(message.id), message)
    const [oldest] = this.#seen.keys()
    if (this.#seen.size > SEEN_IDS && oldest !== undefined) this.#seen.delete(oldest)
  }
  keep(message: SeenMessage, payload: P): CachedMessage<P> {
    const kept = { ...message, payload, bytes: this.#sizeOf(payload), sentTo: new Map<IdKey, number>() }
    this.note(message)
    this.#kept.set(idKey(message.id), kept)
    this.#keptBytes += kept.bytes
    for (const [key, { bytes }] of this.#kept) {
      if (this.#kept.size <= TREE_CACHE_MESSAGES && this.#keptBytes <= TREE_CACHE_BYTES) break
      this.#kept.delete(key)
      this.#keptBytes -= bytes
    }
    return kept
  }
  /** Counts that the peer is sent the message; false when that was often enough. */
  send(message: CachedMessage<P>, peer: IdKey): boolean {
    const times = message.sentTo.get(peer) ?? 0
    if (times >= SENDS_PER_NEIGHBOR) return false
    message.sentTo.set(peer, times + 1)
    return true
  }
  /** The newest messages that can be given, oldest first. */
  newest(count: number): readonly CachedMessage<P>[] {
    return [...this.#kept.values()].slice(-count)
  }
  /** What was sent to the peer may be lost with its connection. */
  forget(peer: PublicKey): void {
    for (const { sentTo } of this.#kept.values()) sentTo.delete(idKey(peer))
  }
}
