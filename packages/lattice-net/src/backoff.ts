/**
 * Pauses that double up to a bound, half of each random, so that peers that failed together do not return together.
 *
 * @module
 */
import type { Random } from '@lattice/model'

export interface BackoffOptions {
  readonly firstMs: number
  readonly maxMs: number
  readonly random: Random
}

/** Doublings beyond which any first pause has reached any bound. */
const MAX_DOUBLINGS = 40

/** The pause before attempt `attempt`, from 0: between half of the full one and all of it. */
export function backoffMs(attempt: number, { firstMs, maxMs, random }: BackoffOptions): number {
  const fullMs = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, MAX_DOUBLINGS))
  return Math.round(fullMs / 2) + jitterMs(fullMs / 2, random)
}

/** A pause by chance, of less than `spreadMs`. */
export function jitterMs(spreadMs: number, random: Random): number {
  const [high = 0, low = 0] = random.bytes(2)
  return Math.floor((spreadMs * (high * 256 + low)) / 65_536)
}
