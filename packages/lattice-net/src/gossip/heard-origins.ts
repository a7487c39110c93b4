/**
 * Whose shuffles came by of late: those that the overlay this node is part of still joins with it.
 *
 * A swap of neighbours is for joining what a partition set apart. With whom a walk connects there is nothing to join, so
 * that in a circle where everybody is heard of, nobody is swapped. Bounded; pure: time is counted in ticks.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey } from '@lattice/model'
import { HEARD_ORIGINS, HEARD_TICKS } from '../limits.ts'
import { keepLatest } from '../keep-latest.ts'

/** Starts with nobody heard of. */
export class HeardOrigins {
  readonly #ticks = new Map<IdKey, number>()
  #tick = 0

  tick(): void {
    this.#tick += 1
  }
  heard(peer: PublicKey): void {
    keepLatest(this.#ticks, { key: idKey(peer), value: this.#tick, limit: HEARD_ORIGINS })
  }
  has(peer: PublicKey): boolean {
    const atTick = this.#ticks.get(idKey(peer))
    return atTick !== undefined && this.#tick - atTick < HEARD_TICKS
  }
  clear(): void {
    this.#ticks.clear()
  }
}
