import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { concatBytes, createAbortController, toHex, toIntentionId, utf8Encode } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { kv } from '@lattice/proto'
import { createMachineHost } from '@lattice/store-base/testing'
import { describe, expect, test } from 'vitest'
import { kvStore } from './kv-store.ts'
import { openKv } from './open-kv.ts'
import { encodePayload } from './payload.ts'
import { decodePurges, isPurgePayload, PURGE_SCHEMA } from './purge.ts'
import { summarizePayload } from './summarize.ts'

const id = (byte: number) => toIntentionId(new Uint8Array(32).fill(byte))
const purgeOf = (key: string, ...bytes: readonly number[]): MessageInitShape<typeof kv.KvPurgeSchema> => ({
  key: utf8Encode(key),
  tombstones: bytes.map(id),
})
const encode = (...purges: readonly MessageInitShape<typeof kv.KvPurgeSchema>[]): Uint8Array =>
  toBinary(kv.KvPayloadSchema, create(kv.KvPayloadSchema, { purges: [...purges] }))
const reasonOf = (bytes: Uint8Array, schema = PURGE_SCHEMA): string => {
  const decoded = decodePurges(bytes, schema)
  return decoded.ok ? 'ok' : decoded.error
}

describe('a payload that purges', () => {
  test('has its bytes, and means what it says', () => {
    const bytes = encode(purgeOf('k', 1, 2))
    expect(toHex(bytes)).toBe(`42470a016b1220${'01'.repeat(32)}1220${'02'.repeat(32)}`)
    expect(isPurgePayload(bytes)).toBe(true)
    expect(decodePurges(bytes, PURGE_SCHEMA)).toEqual({
      ok: true,
      value: [{ key: utf8Encode('k'), tombstones: [id(1), id(2)] }],
    })
    expect(JSON.stringify(summarizePayload(bytes))).toContain('purge')
  })

  test('is malformed in the schema that does not know it, as nodes of that say', () => {
    expect(reasonOf(encode(purgeOf('k', 1)), 1)).toBe('payload_malformed')
  })

  test.each<[string, Uint8Array, string]>([
    [
      'writes beside',
      concatBytes(encode(purgeOf('k', 1)), encodePayload([{ key: id(1), state: { kind: 'tombstone' } }])),
      'payload_malformed',
    ],
    ['a field that is not known', concatBytes(encode(purgeOf('k', 1)), Uint8Array.of(0x48, 1)), 'payload_malformed'],
    ['its end cut off', encode(purgeOf('k', 1)).subarray(0, 20), 'payload_malformed'],
    ['no tombstone', encode(purgeOf('k')), 'purge_malformed'],
    ['tombstones out of order', encode(purgeOf('k', 2, 1)), 'purge_malformed'],
    ['a tombstone twice', encode(purgeOf('k', 1, 1)), 'purge_malformed'],
    ['what is no id', encode({ key: utf8Encode('k'), tombstones: [new Uint8Array(31)] }), 'purge_malformed'],
    ['a key twice', encode(purgeOf('k', 1), purgeOf('k', 2)), 'purge_malformed'],
    ['no key', encode(purgeOf('', 1)), 'key_out_of_bounds'],
    ['a key that is too long', encode(purgeOf('k'.repeat(4097), 1)), 'key_out_of_bounds'],
  ])('with %s is refused whole', (_, bytes, reason) => {
    expect(reasonOf(bytes)).toBe(reason)
    const host = createMachineHost({ machine: kvStore, table: createMemoryTable() })
    expect(host.deliver({ payload: bytes }).outcome).toEqual({ kind: 'rejected', reason })
  })

  test('behind writes of keys is no payload', () => {
    const host = createMachineHost({ machine: kvStore, table: createMemoryTable() })
    const writes = encodePayload([{ key: id(1), state: { kind: 'tombstone' } }])
    const { outcome } = host.deliver({ payload: concatBytes(writes, encode(purgeOf('k', 1))) })
    expect(outcome).toEqual({ kind: 'rejected', reason: 'payload_malformed' })
  })
})

const deletion = encodePayload([{ key: utf8Encode('k'), state: { kind: 'tombstone' } }])
const value = (text: string) =>
  encodePayload([{ key: utf8Encode('k'), state: { kind: 'value', value: utf8Encode(text) } }])

describe('a purge', () => {
  test('of a deleted key leaves nothing, and says nothing', async () => {
    const table = createMemoryTable()
    const host = createMachineHost({ machine: kvStore, table })
    const kept = openKv(host)
    await kept.put('other', 'v')
    const { id: tombstone } = host.deliver({ payload: deletion })
    const purges = [{ key: utf8Encode('k'), tombstones: [tombstone] }]
    const { outcome } = host.deliver({ payload: encode(...purges), deps: [tombstone] })
    expect(outcome).toEqual({ kind: 'applied', events: [] })
    expect(table.entries()).toHaveLength(1)
    expect((await kept.get('k')).value).toBeUndefined()
    expect(await kept.inspect('k')).toEqual([])
  })

  test('that its author had no say in, as the deletion was not in its past, is nothing', () => {
    const table = createMemoryTable()
    const host = createMachineHost({ machine: kvStore, table })
    const { id: tombstone } = host.deliver({ payload: deletion })
    const before = table.entries()
    host.deliver({ payload: encode({ key: utf8Encode('k'), tombstones: [tombstone] }) })
    expect(table.entries()).toEqual(before)
  })

  test('of a deletion that had won is told to who watches, also to who was away', async () => {
    const host = createMachineHost({ machine: kvStore, table: createMemoryTable() })
    const kept = openKv(host)
    host.deliver({ payload: value('lost') })
    const { id: tombstone } = host.deliver({ payload: deletion })
    const controller = createAbortController()
    const watching = kept.watch({ signal: controller.signal })[Symbol.asyncIterator]()
    const cursor = host.log.cursor()
    const missed = kept.watch({ signal: controller.signal, cursor })[Symbol.asyncIterator]()
    host.deliver({ payload: encode({ key: utf8Encode('k'), tombstones: [tombstone] }), deps: [tombstone] })
    const put = { kind: 'put', key: utf8Encode('k'), value: utf8Encode('lost'), conflicted: false }
    for (const events of [watching, missed]) expect((await events.next()).value).toMatchObject(put)
    controller.abort()
  })
})
