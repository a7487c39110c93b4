import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareEpochs, type NumberedEpoch } from './epoch-rank.ts'
import { toIntentionId } from './ids.ts'

const epochOf = (seq: bigint, fill: number): NumberedEpoch => ({
  seq,
  epoch: toIntentionId(new Uint8Array(32).fill(fill)),
})

test('the higher number goes first, and of equal ones the lower id', () => {
  const sorted = [epochOf(9n, 2), epochOf(9n, 7), epochOf(2n ** 63n - 1n, 9), epochOf(0n, 1)].toSorted(compareEpochs)
  expect(sorted.map(({ seq, epoch }) => [seq, epoch[0]])).toEqual([
    [2n ** 63n - 1n, 9],
    [9n, 2],
    [9n, 7],
    [0n, 1],
  ])
})

test('is an order: two are equal only where they are one, and either goes first for everybody', () => {
  const epochs = fc
    .record({ seq: fc.bigInt({ min: 0n, max: 3n }), fill: fc.nat(3) })
    .map(({ seq, fill }) => epochOf(seq, fill))
  fc.assert(
    fc.property(epochs, epochs, epochs, (a, b, c) => {
      expect(Math.sign(compareEpochs(a, b))).toBe(0 - Math.sign(compareEpochs(b, a)))
      expect(compareEpochs(a, b) === 0).toBe(a.seq === b.seq && a.epoch[0] === b.epoch[0])
      if (compareEpochs(a, b) <= 0 && compareEpochs(b, c) <= 0) expect(compareEpochs(a, c)).toBeLessThanOrEqual(0)
    }),
  )
})
