/**
 * A hash over everything that happened, in order: two runs with equal hashes took the same course.
 *
 * It is for comparing runs and no protection against anybody: two lanes of multiply and rotate, cheap enough to take in
 * every event of a run.
 *
 * @module
 */
import type { SimEvent } from './sim-event.ts'

export interface TraceHash {
  readonly add: (...parts: readonly (string | number)[]) => void
  readonly addEvent: (event: SimEvent) => void
  /** What was added so far, as 16 hex digits. */
  readonly digest: () => string
  /** How many times something was added. */
  readonly count: () => number
}

export function createTraceHash(): TraceHash {
  let a = 0x9e3779b9
  let b = 0x243f6a88
  let count = 0
  const mix = (word: number): void => {
    a = Math.imul(a ^ word, 0x85ebca6b)
    a = (a << 13) | (a >>> 19)
    b = Math.imul(b + word, 0xc2b2ae35) ^ a
    b = (b << 17) | (b >>> 15)
  }
  const mixText = (text: string): void => {
    // The length keeps neighbours apart.
    mix(text.length)
    for (let index = 0; index < text.length; index += 1) mix(text.charCodeAt(index))
  }
  const mixNumber = (value: number): void => {
    mix(value | 0)
    mix(Math.floor(value / 2 ** 32) | 0)
  }
  return {
    add: (...parts) => {
      count += 1
      for (const part of parts) {
        if (typeof part === 'string') mixText(part)
        else mixNumber(part)
      }
    },
    addEvent: ({ kind, from, to, link, stream, bytes }) => {
      count += 1
      mixText(kind)
      // Enough of a key to tell nodes apart.
      mixText(from.slice(0, 8))
      mixText(to.slice(0, 8))
      for (const value of [link, stream, bytes]) mixNumber(value)
    },
    digest: () => [a, b].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join(''),
    count: () => count,
  }
}
