/**
 * Randomness that a seed repeats. For tests alone: it is not fit for keys.
 *
 * @module
 */
import { assert } from '../assert.ts'
import type { Random } from '../ports.ts'

/** A repeatable {@link Random} with the draws tests need. */
export interface SeededRandom extends Random {
  /** An integer in `[0, bound)`. */
  readonly below: (bound: number) => number
  /** A u32. */
  readonly u32: () => number
  /** A generator of its own, whose draws do not depend on how many are made here. */
  readonly fork: (label: string) => SeededRandom
}

/** Starts a generator (sfc32, seeded by mixing `seed`). Equal seeds give equal draws on every engine. */
export function createSeededRandom(seed: number | string): SeededRandom {
  const name = String(seed)
  let [a, b, c, d] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1]
  for (let index = 0; index < name.length; index += 1) {
    // FNV-1a over the characters, spread over the state.
    a = Math.imul(a ^ name.charCodeAt(index), 0x01000193)
    b ^= Math.imul(a, 0x85ebca6b)
    c = (c + Math.imul(b, 0xc2b2ae35)) | 0
  }
  const u32 = (): number => {
    const sum = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    c |= 0
    return sum >>> 0
  }
  for (let warmUp = 0; warmUp < 16; warmUp += 1) u32()

  return {
    u32,
    below: (bound) => {
      assert(Number.isInteger(bound) && bound > 0 && bound <= 2 ** 32, 'a bound is a positive integer up to 2^32')
      return Math.floor((u32() / 2 ** 32) * bound)
    },
    bytes: (length) => {
      const bytes = new Uint8Array(length)
      for (let index = 0; index < length; index += 1) bytes[index] = u32() & 0xff
      return bytes
    },
    fork: (label) => createSeededRandom(`${name}/${label}`),
  }
}
