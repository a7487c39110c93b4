import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { concatBytes, fromHex, toHex, utf8Encode } from '@lattice/model'
import { kv, root } from '@lattice/proto'
import { PURGE_SCHEMA } from '@lattice/kvstore'
import { MAX_PAYLOAD_BYTES } from '@lattice/store-base'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  MAX_BUNDLE_BYTES,
  MAX_DROPPED_PARTS,
  MAX_INLINE_BYTES,
  MAX_MANIFEST_RECORD_BYTES,
  MAX_PARTS,
  PART_BYTES,
} from './limits.ts'
import { decodeOperation, encodeOperation, isKvPayload } from './payload.ts'

type Operation = NonNullable<MessageInitShape<typeof root.RootPayloadSchema>['operation']>

const id = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const ids = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => {
    const bytes = id(0)
    new DataView(bytes.buffer).setUint32(0, index)
    return bytes
  })
const named = (name: string, ...bytes: readonly number[]): MessageInitShape<typeof kv.KvPurgeSchema> => ({
  key: utf8Encode(name),
  tombstones: bytes.map(id),
})
const binding = { appId: 'com.example.notes', storeId: id(7) }
const manifest = { id: 'notes', version: '1.0.0', fields: [{ table: 'app', key: 'id', value: 'notes' }] }
const inline = { manifest, size: 3n, hash: id(9), content: { case: 'inline' as const, value: Uint8Array.of(1, 2, 3) } }
const inParts = (size: number, parts: Uint8Array[]) => ({
  manifest,
  size: BigInt(size),
  hash: id(9),
  content: { case: 'parts' as const, value: { ids: parts } },
})

/** Payloads are signed and kept for ever: these bytes mean what they mean in every version. */
const VECTORS: readonly [string, Operation, string][] = [
  [
    'set_app',
    { case: 'setApp', value: { subdomain: 'notes', binding } },
    '123e0a056e6f7465731235' + '0a11' + toHex(utf8Encode('com.example.notes')) + '1220' + '07'.repeat(32),
  ],
  ['unset_app', { case: 'unsetApp', value: { subdomain: 'notes' } }, '1a070a056e6f746573'],
  ['put_part', { case: 'putPart', value: { appId: 'notes', data: Uint8Array.of(1, 2) } }, '220b0a056e6f74657312020102'],
  [
    'put_bundle, inline',
    { case: 'putBundle', value: { record: inline, droppedParts: [id(1)] } },
    '2a6f' +
      '0a4b' +
      '0a20' +
      '0a056e6f746573' +
      '1a05312e302e30' +
      '3210' +
      '0a03617070' +
      '12026964' +
      '1a056e6f746573' +
      '1003' +
      '1a20' +
      '09'.repeat(32) +
      '2203010203' +
      '1220' +
      '01'.repeat(32),
  ],
  [
    'put_bundle, in parts',
    { case: 'putBundle', value: { record: inParts(PART_BYTES + 1, [id(3), id(2)]) } },
    '2a9101' +
      '0a8e01' +
      '0a200a056e6f7465731a05312e302e3032100a03617070120269641a056e6f746573' +
      '1081c007' +
      '1a20' +
      '09'.repeat(32) +
      '2a44' +
      '0a20' +
      '03'.repeat(32) +
      '0a20' +
      '02'.repeat(32),
  ],
  [
    'unset_bundle',
    { case: 'unsetBundle', value: { appId: 'notes', droppedParts: [id(1), id(2)] } },
    '324b0a056e6f746573' + '1220' + '01'.repeat(32) + '1220' + '02'.repeat(32),
  ],
  [
    'drop_parts',
    { case: 'dropParts', value: { appId: 'notes', parts: [id(4)] } },
    '3a290a056e6f746573' + '1220' + '04'.repeat(32),
  ],
  [
    'purge_names',
    {
      case: 'purgeNames',
      value: { apps: [named('x', 1)], bundles: [named('notes', 2)] },
    },
    '4a52' + '0a25' + '0a0178' + '1220' + '01'.repeat(32) + '1229' + '0a056e6f746573' + '1220' + '02'.repeat(32),
  ],
]

describe('a payload', () => {
  test.each(VECTORS)('%s has its bytes, and means what it says', (_, operation, hex) => {
    expect(toHex(encodeOperation(operation))).toBe(hex)
    const decoded = decodeOperation(fromHex(hex) ?? new Uint8Array(), PURGE_SCHEMA)
    expect(decoded.ok && decoded.value.case).toBe(operation.case)
    expect(decoded.ok && toHex(encodeOperation(decoded.value))).toBe(hex)
  })

  test('of keys is one of a key-value store', () => {
    const operations = [{ key: utf8Encode('k'), operation: { case: 'put' as const, value: utf8Encode('v') } }]
    const own = toBinary(root.RootPayloadSchema, create(root.RootPayloadSchema, { operations }))
    expect(own).toEqual(toBinary(kv.KvPayloadSchema, create(kv.KvPayloadSchema, { operations })))
    expect(isKvPayload(own)).toBe(true)
    for (const [, operation] of VECTORS) expect(isKvPayload(encodeOperation(operation))).toBe(false)
  })

  test('at its largest fits an intention', () => {
    const fields = Array.from({ length: 11 }, (_, index) => ({
      table: 'app',
      key: `k${index}`,
      value: 'x'.repeat(4096),
    }))
    const size = toBinary(root.ManifestSchema, create(root.ManifestSchema, { id: 'a', fields })).length
    const padded = {
      id: 'a',
      description: 'x'.repeat(MAX_MANIFEST_RECORD_BYTES - size - 3),
      fields,
    }
    expect(toBinary(root.ManifestSchema, create(root.ManifestSchema, padded)).length).toBe(MAX_MANIFEST_RECORD_BYTES)
    const records = [
      { ...inParts(MAX_BUNDLE_BYTES, ids(MAX_PARTS)), manifest: padded },
      {
        ...inline,
        manifest: padded,
        size: BigInt(MAX_INLINE_BYTES),
        content: { case: 'inline' as const, value: new Uint8Array(MAX_INLINE_BYTES) },
      },
    ]
    for (const record of records) {
      const bytes = encodeOperation({ case: 'putBundle', value: { record, droppedParts: ids(MAX_DROPPED_PARTS) } })
      expect(bytes.length).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES)
      expect(decodeOperation(bytes, PURGE_SCHEMA).ok).toBe(true)
    }
    const part = encodeOperation({
      case: 'putPart',
      value: { appId: 'a'.repeat(128), data: new Uint8Array(PART_BYTES) },
    })
    expect(part.length).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES)
    expect(decodeOperation(part, PURGE_SCHEMA).ok).toBe(true)
  })

  test.each<[string, Operation, string]>([
    ['a binding of nothing', { case: 'setApp', value: { subdomain: 'a' } }, 'app_id_malformed'],
    [
      'a short store id',
      { case: 'setApp', value: { subdomain: 'a', binding: { appId: 'a', storeId: id(1).subarray(1) } } },
      'store_id_malformed',
    ],
    ['a reserved subdomain', { case: 'setApp', value: { subdomain: 'www', binding } }, 'subdomain_reserved'],
    ['a malformed subdomain', { case: 'unsetApp', value: { subdomain: 'a.b' } }, 'subdomain_malformed'],
    ['an empty part', { case: 'putPart', value: { appId: 'a' } }, 'part_out_of_bounds'],
    [
      'a large part',
      { case: 'putPart', value: { appId: 'a', data: new Uint8Array(PART_BYTES + 1) } },
      'part_out_of_bounds',
    ],
    ['a part of no app', { case: 'putPart', value: { data: new Uint8Array(1) } }, 'app_id_malformed'],
    ['no record', { case: 'putBundle', value: {} }, 'record_malformed'],
    ['no manifest', { case: 'putBundle', value: { record: { size: 1n } } }, 'manifest_malformed'],
    [
      'a manifest of no app',
      { case: 'putBundle', value: { record: { ...inline, manifest: { id: 'A' } } } },
      'manifest_malformed',
    ],
    [
      'a manifest of no store type',
      { case: 'putBundle', value: { record: { ...inline, manifest: { id: 'a', storeType: 'x' } } } },
      'manifest_malformed',
    ],
    [
      'a manifest of many fields',
      {
        case: 'putBundle',
        value: { record: { ...inline, manifest: { id: 'a', fields: Array.from({ length: 257 }, () => ({})) } } },
      },
      'manifest_malformed',
    ],
    [
      'a manifest with a long value',
      {
        case: 'putBundle',
        value: { record: { ...inline, manifest: { id: 'a', fields: [{ value: 'x'.repeat(4097) }] } } },
      },
      'manifest_malformed',
    ],
    [
      'a long manifest',
      {
        case: 'putBundle',
        value: { record: { ...inline, manifest: { id: 'a', description: 'x'.repeat(MAX_MANIFEST_RECORD_BYTES) } } },
      },
      'manifest_malformed',
    ],
    [
      'a manifest with a long version',
      { case: 'putBundle', value: { record: { ...inline, manifest: { id: 'a', version: 'x'.repeat(4097) } } } },
      'manifest_malformed',
    ],
    [
      'no content',
      { case: 'putBundle', value: { record: { ...inline, content: { case: undefined } } } },
      'record_malformed',
    ],
    ['another size', { case: 'putBundle', value: { record: { ...inline, size: 4n } } }, 'record_malformed'],
    [
      'no size',
      {
        case: 'putBundle',
        value: { record: { ...inline, size: 0n, content: { case: 'inline', value: new Uint8Array() } } },
      },
      'record_malformed',
    ],
    [
      'a short hash',
      { case: 'putBundle', value: { record: { ...inline, hash: Uint8Array.of(1) } } },
      'record_malformed',
    ],
    [
      'too much inline',
      {
        case: 'putBundle',
        value: {
          record: {
            ...inline,
            size: BigInt(MAX_INLINE_BYTES + 1),
            content: { case: 'inline', value: new Uint8Array(MAX_INLINE_BYTES + 1) },
          },
        },
      },
      'record_malformed',
    ],
    [
      'too large',
      { case: 'putBundle', value: { record: inParts(MAX_BUNDLE_BYTES + 1, ids(MAX_PARTS + 1)) } },
      'record_malformed',
    ],
    ['too few parts', { case: 'putBundle', value: { record: inParts(PART_BYTES + 1, ids(1)) } }, 'part_list_malformed'],
    ['too many parts', { case: 'putBundle', value: { record: inParts(PART_BYTES, ids(2)) } }, 'part_list_malformed'],
    [
      'a part twice',
      { case: 'putBundle', value: { record: inParts(PART_BYTES + 1, [id(1), id(1)]) } },
      'part_list_malformed',
    ],
    [
      'a short part id',
      { case: 'putBundle', value: { record: inParts(5, [Uint8Array.of(1)]) } },
      'part_list_malformed',
    ],
    [
      'drops out of order',
      { case: 'putBundle', value: { record: inline, droppedParts: [id(2), id(1)] } },
      'part_list_malformed',
    ],
    [
      'a drop twice',
      { case: 'unsetBundle', value: { appId: 'a', droppedParts: [id(1), id(1)] } },
      'part_list_malformed',
    ],
    [
      'too many drops',
      { case: 'dropParts', value: { appId: 'a', parts: ids(MAX_DROPPED_PARTS + 1) } },
      'part_list_malformed',
    ],
    ['no drops', { case: 'dropParts', value: { appId: 'a' } }, 'part_list_malformed'],
    ['a removal of no app', { case: 'unsetBundle', value: { appId: '' } }, 'app_id_malformed'],
    ['a purge of nothing', { case: 'purgeNames', value: {} }, 'purge_malformed'],
    ['a purge of no name', { case: 'purgeNames', value: { apps: [named('', 1)] } }, 'key_out_of_bounds'],
    ['a purge of no tombstone', { case: 'purgeNames', value: { bundles: [named('a')] } }, 'purge_malformed'],
    ['a purge out of order', { case: 'purgeNames', value: { apps: [named('a', 2, 1)] } }, 'purge_malformed'],
    ['a name purged twice', { case: 'purgeNames', value: { apps: [named('a', 1), named('a', 2)] } }, 'purge_malformed'],
    ['drops of no app', { case: 'dropParts', value: { appId: '', parts: [id(1)] } }, 'app_id_malformed'],
  ])('with %s is refused', (_, operation, reason) => {
    const decoded = decodeOperation(encodeOperation(operation), PURGE_SCHEMA)
    expect(decoded.ok ? 'ok' : decoded.error).toBe(reason)
  })

  test('that purges names is malformed in the schema that does not know it, as keys are', () => {
    const names = encodeOperation({ case: 'purgeNames', value: { apps: [named('a', 1)] } })
    expect(decodeOperation(names, 1)).toMatchObject({ ok: false, error: 'payload_malformed' })
    expect(decodeOperation(names, 2).ok).toBe(true)
    const keys = toBinary(root.RootPayloadSchema, create(root.RootPayloadSchema, { purges: [named('a', 1)] }))
    expect(keys).toEqual(toBinary(kv.KvPayloadSchema, create(kv.KvPayloadSchema, { purges: [named('a', 1)] })))
    expect(isKvPayload(keys)).toBe(true)
    expect(decodeOperation(concatBytes(names, keys), 2)).toMatchObject({ ok: false, error: 'payload_malformed' })
  })

  test('in any other encoding, or with a field that is not known, is refused whole', () => {
    const reasonOf = (bytes: Uint8Array): string => {
      const decoded = decodeOperation(bytes, PURGE_SCHEMA)
      return decoded.ok ? 'ok' : decoded.error
    }
    const good = encodeOperation({ case: 'unsetApp', value: { subdomain: 'notes' } })
    expect(reasonOf(good)).toBe('ok')
    const keys = toBinary(
      kv.KvPayloadSchema,
      create(kv.KvPayloadSchema, { operations: [{ key: id(1), operation: { case: 'delete', value: {} } }] }),
    )
    for (const bytes of [
      concatBytes(good, good),
      concatBytes(good, Uint8Array.of(0x40, 1)),
      concatBytes(good, keys),
      concatBytes(keys, good),
      concatBytes(good, encodeOperation({ case: 'dropParts', value: { appId: 'a', parts: [id(1)] } })),
      Uint8Array.of(0x9a, 0, 7, ...good.subarray(2)),
      Uint8Array.of(0x1a, 9, ...good.subarray(2), 0x40, 1),
      Uint8Array.of(0x1a, 7, 0x0a, 5, 0xff, 0x6f, 0x74, 0x65, 0x73),
      good.subarray(0, 5),
      Uint8Array.of(0x42, 0),
    ])
      expect(reasonOf(bytes)).toBe('payload_malformed')
  })

  test('of any bytes is judged, never thrown at', () => {
    const seeds = VECTORS.map(([, operation]) => encodeOperation(operation))
    const mutated = fc
      .tuple(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
        fc.nat({ max: 4 }),
      )
      .map(([seed, changes, cut]) => {
        const bytes = seed.slice(0, seed.length - cut)
        for (const [place, value] of changes) bytes[place % bytes.length] = value
        return bytes
      })
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        const decoded = decodeOperation(bytes, PURGE_SCHEMA)
        if (decoded.ok) expect(encodeOperation(decoded.value)).toEqual(bytes)
        else expect(decoded.error).toMatch(/^[a-z_]+$/)
      }),
      { numRuns: 3000 },
    )
  })
})
