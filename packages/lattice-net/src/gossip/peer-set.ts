/**
 * Peers by key, in the order in which they came.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey } from '@lattice/model'

/** A set of public keys by content. */
export class PeerSet {
  readonly #peers: Map<IdKey, PublicKey>

  constructor(peers: readonly PublicKey[] = []) {
    this.#peers = new Map(peers.map((peer) => [idKey(peer), peer]))
  }

  get size(): number {
    return this.#peers.size
  }
  has(peer: PublicKey): boolean {
    return this.#peers.has(idKey(peer))
  }
  add(peer: PublicKey): void {
    this.#peers.set(idKey(peer), peer)
  }
  /** True when it was here. */
  delete(peer: PublicKey): boolean {
    return this.#peers.delete(idKey(peer))
  }
  clear(): void {
    this.#peers.clear()
  }
  list(): readonly PublicKey[] {
    return [...this.#peers.values()]
  }
}
