/**
 * The ways back of shuffles that passed here: for each origin the neighbour it came from, the latest ones only.
 *
 * A way that is forgotten costs the origin one answer; its next shuffle takes another way.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey } from '@lattice/model'
import { SHUFFLE_TRAILS } from '../limits.ts'

/** Starts empty. */
export class ShuffleTrails {
  readonly #trails = new Map<IdKey, PublicKey>()

  add(origin: PublicKey, from: PublicKey): void {
    this.#trails.delete(idKey(origin))
    this.#trails.set(idKey(origin), from)
    const [oldest] = this.#trails.keys()
    if (this.#trails.size > SHUFFLE_TRAILS && oldest !== undefined) this.#trails.delete(oldest)
  }
  /** The way back, once. */
  take(origin: PublicKey): PublicKey | undefined {
    const from = this.#trails.get(idKey(origin))
    this.#trails.delete(idKey(origin))
    return from
  }
  clear(): void {
    this.#trails.clear()
  }
}
