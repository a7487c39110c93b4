import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { kv } from '@lattice/proto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeOperations, encodePutRequest } from './payload-codec.ts'
import type { KeyWrite } from './key-write.ts'
import { decodeAny, decodePayload, encodePayload } from './payload.ts'

const write: fc.Arbitrary<KeyWrite> = fc.record({
  key: fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 4 }), fc.uint8Array({ maxLength: 200 })),
  state: fc.oneof(
    fc.constant({ kind: 'tombstone' } as const),
    fc.record({ kind: fc.constant('value' as const), value: fc.uint8Array({ maxLength: 300 }) }),
  ),
})
const writes = fc.array(write, { maxLength: 6 })

function generated(list: readonly KeyWrite[]): Uint8Array {
  const operations = list.map(({ key, state }) => ({
    key,
    operation:
      state.kind === 'value'
        ? ({ case: 'put', value: state.value } as const)
        : ({ case: 'delete', value: {} } as const),
  }))
  return toBinary(kv.KvPayloadSchema, create(kv.KvPayloadSchema, { operations }))
}

describe('a payload', () => {
  test('is what the generated codec makes, and what its own decoder reads is the same', () => {
    fc.assert(
      fc.property(writes, (list) => {
        const bytes = encodePayload(list)
        expect(bytes).toEqual(generated(list))
        if (list.every(({ key }) => key.length > 0)) expect(decodeOperations(bytes)).toEqual(list)
        expect(decodePayload(bytes)).toEqual(decodeAny(bytes))
      }),
      { numRuns: 300 },
    )
  })

  test('of any bytes means what the generated decoder says', () => {
    const mutated = fc
      .tuple(writes, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }))
      .map(([list, changes]) => {
        const bytes = encodePayload(list)
        for (const [place, value] of changes) if (bytes.length > 0) bytes[place % bytes.length] = value
        return bytes
      })
    const cut = fc.tuple(mutated, fc.nat({ max: 20 })).map(([bytes, less]) => bytes.subarray(0, bytes.length - less))
    fc.assert(
      fc.property(fc.oneof(mutated, cut, fc.uint8Array({ maxLength: 40 })), (bytes) => {
        expect(decodePayload(bytes)).toEqual(decodeAny(bytes))
      }),
      { numRuns: 3000 },
    )
  })

  test('is the same bytes as a batch request of it, and a put request is what the generated codec makes', () => {
    fc.assert(
      fc.property(writes, fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (list, key, value) => {
        const { operations } = fromBinary(kv.KvPayloadSchema, encodePayload(list))
        const batch = create(kv.BatchRequestSchema, { operations })
        expect(encodePayload(list)).toEqual(toBinary(kv.BatchRequestSchema, batch))
        const put = create(kv.PutRequestSchema, { key, value })
        expect(encodePutRequest(key, value)).toEqual(toBinary(kv.PutRequestSchema, put))
      }),
    )
  })
})
