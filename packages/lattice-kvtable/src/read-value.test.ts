import { toIntentionId, toPublicKey } from '@lattice/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { readValue } from './read-value.ts'
import { resolveHeads } from './resolve.ts'
import { decodeHeads, encodeHeads, type KvHead } from './value-codec.ts'

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const head: fc.Arbitrary<KvHead> = fc.record({
  id: bytes32.map(toIntentionId),
  timestamp: fc.record({ wall: fc.nat({ max: 2 ** 31 - 1 }).map((wall) => wall * 2 ** 16), counter: fc.nat(65_535) }),
  author: bytes32.map(toPublicKey),
  state: fc.oneof(
    fc.constant({ kind: 'tombstone' } as const),
    fc.record({ kind: fc.constant('value' as const), value: fc.uint8Array({ maxLength: 300 }) }),
  ),
})

test('a value is read as all heads would be', () => {
  fc.assert(
    fc.property(fc.array(head, { minLength: 1, maxLength: 4 }), (heads) => {
      const stored = encodeHeads(heads)
      const { value, conflicted } = resolveHeads(decodeHeads(stored))
      expect(readValue(stored)).toEqual({ value, conflicted })
    }),
    { numRuns: 300 },
  )
})

test('bytes that end early are found damaged', () => {
  fc.assert(
    fc.property(head, fc.nat(), (one, place) => {
      const stored = encodeHeads([one])
      expect(() => readValue(stored.subarray(0, place % stored.length))).toThrow('a stored')
    }),
  )
})
