/**
 * Choices made with the injected randomness: the same draws give the same choices.
 *
 * @module
 */
import { assert, type Random } from '@lattice/model'

/** An integer in `[0, bound)`. Uneven by less than one in a million for the bounds in use here. */
export function drawBelow(random: Random, bound: number): number {
  assert(Number.isSafeInteger(bound) && bound > 0 && bound < 2 ** 32, 'a bound is a positive integer below 2^32')
  if (bound === 1) return 0
  let word = 0
  for (const byte of random.bytes(4)) word = word * 256 + byte
  return word % bound
}

/** One of the items; undefined when there is none. */
export function drawOne<T>(random: Random, items: readonly T[]): T | undefined {
  return items.length === 0 ? undefined : items[drawBelow(random, items.length)]
}

/** Up to `count` of the items, in random order. */
export function drawSome<T>(random: Random, items: readonly T[], count: number): T[] {
  const rest = [...items]
  const drawn: T[] = []
  while (drawn.length < count) {
    const last = rest.pop()
    if (last === undefined) break
    const at = drawBelow(random, rest.length + 1)
    const chosen = rest[at] ?? last
    if (at < rest.length) rest[at] = last
    drawn.push(chosen)
  }
  return drawn
}
