/**
 * The ways back of shuffles that passed here: for each origin the neighbour it came from, the latest ones only.
 *
 * A way that is forgotten costs the origin one answer; its next shuffle takes another way.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey } from '@lattice/model'
import { SHUFFLE_TRAILS } from '../limits.ts'
import { keepLatest } from '../keep-latest.ts'

/** Starts empty. */
export class ShuffleTrails {
  readonly #trails = new Map<IdKey, PublicKey>()

  add(origin: PublicKey, from: PublicKey): void {
    keepLatest(this.#trails, { key: idKey(origin), value: from, limit: SHUFFLE_TRAILS })
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
