/**
 * Who refused to become a neighbour, and how long each is left alone for it.
 *
 * Whoever is full says so each time it is asked, and asks by itself once it has room: so each refusal of the same peer
 * doubles its rest, up to a bound. What shows that views change (a neighbour is lost, or lets go) ends rests early.
 * Kept is one entry per candidate at most. Pure: time is counted in ticks.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey } from '@lattice/model'
import { REFUSAL_REST_TICKS, REFUSAL_REST_TICKS_MAX } from '../limits.ts'

interface Rest {
  /** Refusals in a row. */
  refusals: number
  /** The tick at which the latest came. */
  atTick: number
  untilTick: number
}

/** Starts without refusals. */
export class Refusals {
  readonly #rests = new Map<IdKey, Rest>()
  #tick = 0
  #sinceTick = 0

  /** Refusals since the last tick. */
  get sinceTick(): number {
    return this.#sinceTick
  }
  tick(): void {
    this.#tick += 1
    this.#sinceTick = 0
  }
  refused(peer: PublicKey): void {
    const refusals = (this.#rests.get(idKey(peer))?.refusals ?? 0) + 1
    const ticks = Math.min(REFUSAL_REST_TICKS * 2 ** (refusals - 1), REFUSAL_REST_TICKS_MAX)
    this.#rests.set(idKey(peer), { refusals, atTick: this.#tick, untilTick: this.#tick + ticks })
    this.#sinceTick += 1
  }
  /** It let go of this node: not asked again before the next tick. Others may have room since. */
  left(peer: PublicKey): void {
    this.wake()
    const refusals = this.#rests.get(idKey(peer))?.refusals ?? 0
    this.#rests.set(idKey(peer), { refusals, atTick: this.#tick, untilTick: this.#tick + 1 })
  }
  /** True while the peer is not to be asked. A node that is `alone` asks again with each tick: by `join`, which finds room. */
  rests(peer: PublicKey, isAlone: boolean): boolean {
    const rest = this.#rests.get(idKey(peer))
    if (rest === undefined) return false
    return isAlone ? rest.atTick === this.#tick : rest.untilTick > this.#tick
  }
  /** Views change: everybody may be asked once more from the next tick on. */
  wake(): void {
    for (const rest of this.#rests.values()) rest.untilTick = Math.min(rest.untilTick, this.#tick + 1)
  }
  forget(peer: PublicKey): void {
    this.#rests.delete(idKey(peer))
  }
  keepOnly(peers: readonly PublicKey[]): void {
    const kept = new Set(peers.map(idKey))
    for (const key of this.#rests.keys()) if (!kept.has(key)) this.#rests.delete(key)
  }
  forgive(): void {
    this.#rests.clear()
    this.#sinceTick = 0
  }
}
