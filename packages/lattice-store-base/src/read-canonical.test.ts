import { create, toBinary } from '@bufbuild/protobuf'
import { concatBytes } from '@lattice/model'
import { kv } from '@lattice/proto'
import { expect, test } from 'vitest'
import { readCanonical } from './read-canonical.ts'

const key = Uint8Array.of(1, 2)
const tombstones = [new Uint8Array(32)]
const bytes = toBinary(kv.KvPurgeSchema, create(kv.KvPurgeSchema, { key, tombstones }))

test('what is read back is what was written', () => {
  expect(readCanonical(kv.KvPurgeSchema, bytes)).toMatchObject({ key, tombstones })
  expect(readCanonical(kv.KvPurgeSchema, new Uint8Array())).toMatchObject({ key: new Uint8Array(), tombstones: [] })
})

const fieldEnd = 2 + key.length
test.each([
  ['nothing that is protobuf', Uint8Array.of(0xff, 0xff)],
  ['its end cut off', bytes.subarray(0, -1)],
  ['its fields in another order', concatBytes(bytes.subarray(fieldEnd), bytes.subarray(0, fieldEnd))],
  ['a field twice', concatBytes(bytes.subarray(0, fieldEnd), bytes)],
  ['a field written that says nothing', Uint8Array.of(0x0a, 0)],
  ['a length in more bytes than it takes', concatBytes(Uint8Array.of(0x0a, 0x82, 0), bytes.subarray(2))],
  ['a field that is not known', concatBytes(bytes, Uint8Array.of(0x78, 1))],
])('bytes with %s are no encoding of it', (_, other) => {
  expect(readCanonical(kv.KvPurgeSchema, other)).toBeUndefined()
})
