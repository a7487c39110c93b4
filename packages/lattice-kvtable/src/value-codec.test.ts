import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { MAX_HLC_COUNTER, MAX_WALL_MS, toIntentionId, toPublicKey } from '@lattice/model'
import { kvtable } from '@lattice/proto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeHeads, encodeHeads, type KvHead } from './value-codec.ts'

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const head: fc.Arbitrary<KvHead> = fc.record({
  id: bytes32.map(toIntentionId),
  timestamp: fc.record({
    wall: fc.oneof(fc.constantFrom(0, 1, MAX_WALL_MS), fc.integer({ min: 0, max: MAX_WALL_MS })),
    counter: fc.oneof(fc.constantFrom(0, 1, MAX_HLC_COUNTER), fc.integer({ min: 0, max: MAX_HLC_COUNTER })),
  }),
  author: bytes32.map(toPublicKey),
  state: fc.oneof(
    fc.constant({ kind: 'tombstone' } as const),
    fc.record({ kind: fc.constant('value' as const), value: fc.uint8Array({ maxLength: 300 }) }),
  ),
})
const heads = fc.array(head, { minLength: 1, maxLength: 5 })

/** The generated codec, as the model. */
function generated(list: readonly KvHead[]): Uint8Array {
  return toBinary(
    kvtable.ValueSchema,
    create(kvtable.ValueSchema, {
      heads: list.map(({ id, timestamp, author, state }) =>
        create(kvtable.HeadSchema, {
          id,
          wall: BigInt(timestamp.wall),
          counter: timestamp.counter,
          author,
          state: state.kind === 'value' ? { case: 'value', value: state.value } : { case: 'tombstone', value: true },
        }),
      ),
    }),
  )
}

describe('a stored value', () => {
  test('is what the generated codec makes, and reads back', () => {
    fc.assert(
      fc.property(heads, (list) => {
        const bytes = encodeHeads(list)
        expect(bytes).toEqual(generated(list))
        expect(decodeHeads(bytes)).toEqual(list)
      }),
      { numRuns: 300 },
    )
  })

  test('that was changed reads as what it says, or is found damaged; never as something else', () => {
    fc.assert(
      fc.property(heads, fc.nat(), fc.integer({ min: 1, max: 255 }), (list, place, change) => {
        const bytes = encodeHeads(list)
        const index = place % bytes.length
        bytes[index] = (bytes[index] ?? 0) ^ change
        let read: readonly KvHead[]
        try {
          read = decodeHeads(bytes)
        } catch (error) {
          expect(error).toMatchObject({ name: 'InvariantViolation' })
          return
        }
        expect(encodeHeads(read)).toEqual(bytes)
        expect(fromBinary(kvtable.ValueSchema, bytes).heads).toHaveLength(read.length)
      }),
      { numRuns: 500 },
    )
  })

  test('that was cut short is found damaged', () => {
    fc.assert(
      fc.property(head, fc.nat(), (one, place) => {
        const bytes = encodeHeads([one])
        expect(() => decodeHeads(bytes.subarray(0, place % bytes.length))).toThrow('stored')
      }),
    )
  })
})
