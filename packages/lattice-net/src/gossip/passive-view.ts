/**
 * The replacements of a topic: a bounded set from which is drawn at random.
 *
 * @module
 */
import { assert, type PublicKey, type Random } from '@lattice/model'
import { SHUFFLE_ACTIVE, SHUFFLE_PASSIVE } from '../limits.ts'
import { drawOne, drawSome } from './draw.ts'
import { PeerSet } from './peer-set.ts'

export interface PassiveViewOptions {
  readonly random: Random
  readonly capacity: number
}

/** Never holds more than its capacity: who comes to a full view takes the place of a random one. */
export class PassiveView {
  readonly #peers = new PeerSet()
  readonly #random: Random
  readonly #capacity: number

  constructor({ random, capacity }: PassiveViewOptions) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, 'a capacity is a positive integer')
    this.#random = random
    this.#capacity = capacity
  }

  list(): readonly PublicKey[] {
    return this.#peers.list()
  }
  delete(peer: PublicKey): void {
    this.#peers.delete(peer)
  }
  clear(): void {
    this.#peers.clear()
  }
  add(peer: PublicKey): void {
    this.exchange([peer], [])
  }
  /** Takes in as many as there is room for, at random. */
  fill(peers: readonly PublicKey[]): void {
    const strangers = peers.filter((peer) => !this.#peers.has(peer))
    for (const peer of drawSome(this.#random, strangers, this.#capacity - this.#peers.size)) this.#peers.add(peer)
  }
  /** Takes in all of them: those `given` away make room first, then random ones. */
  exchange(peers: readonly PublicKey[], given: readonly PublicKey[]): void {
    const leaving = [...new PeerSet(given.filter((peer) => this.#peers.has(peer))).list()]
    for (const peer of peers) {
      if (this.#peers.has(peer)) continue
      if (this.#peers.size >= this.#capacity) {
        const out = leaving.pop() ?? drawOne(this.#random, this.#peers.list())
        if (out !== undefined) this.#peers.delete(out)
      }
      this.#peers.add(peer)
    }
  }
  sample(count: number): readonly PublicKey[] {
    return drawSome(this.#random, this.#peers.list(), count)
  }
  /** What a shuffle names: some neighbours, some replacements. */
  shuffleSample(neighbors: readonly PublicKey[]): readonly PublicKey[] {
    return [...drawSome(this.#random, neighbors, SHUFFLE_ACTIVE), ...this.sample(SHUFFLE_PASSIVE)]
  }
}
