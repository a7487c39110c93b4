import { type PublicKey, toPublicKey } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SHUFFLE_ACTIVE, SHUFFLE_PASSIVE } from '../limits.ts'
import { PassiveView } from './passive-view.ts'

const key = (number: number): PublicKey => toPublicKey(new Uint8Array(32).fill(number))
const numbers = (peers: readonly PublicKey[]): number[] => peers.map(([first]) => first ?? -1).toSorted((a, b) => a - b)
const create = (capacity: number): PassiveView => new PassiveView({ random: createSeededRandom('passive'), capacity })

describe('PassiveView', () => {
  // Model: the set of those taken in and not displaced; whoever comes is in, and the bound holds.
  test('takes in whoever comes, and never holds more than its capacity', () => {
    const numbersOf = fc.array(fc.nat({ max: 20 }), { maxLength: 6 })
    const steps = fc.array(fc.tuple(numbersOf, numbersOf), { maxLength: 20 })
    fc.assert(
      fc.property(steps, fc.integer({ min: 6, max: 10 }), (list, capacity) => {
        const view = create(capacity)
        const seen = new Set<number>()
        for (const [coming, given] of list) {
          for (const number of coming) seen.add(number)
          view.exchange(coming.map(key), given.map(key))
          const held = numbers(view.list())
          expect(new Set(held).size).toBe(held.length)
          expect(held.length).toBeLessThanOrEqual(capacity)
          expect(held.length).toBe(Math.min(capacity, seen.size))
          for (const number of held) expect(seen).toContain(number)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('what was given in a shuffle makes room before anybody else', () => {
    const view = create(4)
    view.fill([1, 2, 3, 4].map(key))
    view.exchange([5, 6].map(key), [2, 4, 9].map(key))
    expect(numbers(view.list())).toEqual([1, 3, 5, 6])
    view.add(key(7))
    expect(view.list()).toHaveLength(4)
    expect(numbers(view.list())).toContain(7)
  })

  test('fills up from strangers, and stops when it is full', () => {
    const view = create(5)
    view.fill([1, 2, 3].map(key))
    view.fill([1, 2, 3, 4, 5, 6, 7, 8].map(key))
    expect(view.list()).toHaveLength(5)
    expect(numbers(view.list()).slice(0, 3)).toEqual([1, 2, 3])
  })

  test('names some of each view in a shuffle', () => {
    const view = create(10)
    view.fill([1, 2, 3, 4, 5, 6].map(key))
    const sample = numbers(view.shuffleSample([11, 12, 13, 14].map(key)))
    expect(sample.filter((number) => number < 10)).toHaveLength(SHUFFLE_PASSIVE)
    expect(sample.filter((number) => number > 10)).toHaveLength(SHUFFLE_ACTIVE)
    expect(new Set(sample).size).toBe(sample.length)
  })
})
