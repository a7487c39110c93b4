/**
 * Small numbers from the injected randomness.
 *
 * @module
 */
import { assert, type Random } from '@lattice/model'

/** An integer in `[0, bound)`. Slightly uneven for bounds near 2^32, which is of no account in a simulation. */
export function drawBelow(random: Random, bound: number): number {
  assert(Number.isSafeInteger(bound) && bound > 0 && bound <= 2 ** 32, 'a bound is a positive integer up to 2^32')
  if (bound === 1) return 0
  const word = random.bytes(4).reduce((value, byte) => value * 256 + byte, 0)
  return Math.floor((word / 2 ** 32) * bound)
}
