import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  createAbortController,
  formatSExpr,
  isLatticeError,
  MAX_KEY_BYTES,
  toPublicKey,
  utf8Decode,
  utf8Encode,
} from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { kv } from '@lattice/proto'
import { describeMachine, LimitExceeded, MAX_FOLDED_DEPS, MAX_PAYLOAD_BYTES, openStream } from '@lattice/store-base'
import { createMachineHost, type MachineHost } from '@lattice/store-base/testing'
import * as fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import type { KvEvent } from './apply-payload.ts'
import { kvStore } from './kv-store.ts'
import { MAX_BATCH_KEYS, MAX_LIST_LIMIT, MAX_PAGE_BYTES } from './limits.ts'
import { type Kv, type KvRead, openKv } from './open-kv.ts'
import { encodePayload } from './payload.ts'

const other = toPublicKey(new Uint8Array(32).fill(9))

function open(streamCapacity = 64): { readonly host: MachineHost<KvEvent>; readonly store: Kv } {
  const host = createMachineHost({ machine: kvStore, table: createMemoryTable(), streamCapacity })
  return { host, store: openKv(host) }
}

function putPayload(key: string, value: string): Uint8Array {
  return encodePayload([{ key: utf8Encode(key), state: { kind: 'value', value: utf8Encode(value) } }])
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

const text = (bytes: Uint8Array | undefined): string | undefined => bytes && utf8Decode(bytes)

async function codeOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => 'no error',
    (error: unknown) => (isLatticeError(error) ? error.code : error),
  )
}

describe('import', () => {
  const entry = fc.record({
    key: fc.string({ minLength: 1, maxLength: 3 }),
    value: fc.oneof(fc.string({ maxLength: 20 }), fc.constant('x'.repeat(40_000))),
  })

  // Model: one put after the other.
  test('leaves what puts in that order would, whole or in parts, however many keys share a write', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        async (entries, keysPerWrite, inParts) => {
          const [{ store }, model] = [open(), open().store]
          for (const { key, value } of entries) await model.put(key, value)
          const told: number[] = []
          async function* parts(): AsyncGenerator<typeof entries> {
            for (let from = 0; from < entries.length; from += 7) yield entries.slice(from, from + 7)
          }
          const written = await store.import(inParts ? parts() : entries, {
            keysPerWrite,
            onProgress: (progress) => told.push(progress.written),
          })
          expect(written).toBe(entries.length)
          if (entries.length > 0) expect(told.at(-1)).toBe(entries.length)
          const valuesOf = async (kv: Kv) =>
            (await collect(kv.list())).map(({ key, value, conflicted }) => [text(key), text(value), conflicted])
          expect(await valuesOf(store)).toEqual(await valuesOf(model))
        },
      ),
      { numRuns: 40 },
    )
  })

  test('groups 256 keys to an intention unless told, and 64 KiB', async () => {
    const { host, store } = open()
    await store.import(Array.from({ length: 600 }, (_, index) => ({ key: `k${index}`, value: 'v' })))
    expect(host.applied()).toHaveLength(3)
    const large = open()
    await large.store.import(Array.from({ length: 5 }, (_, index) => ({ key: `k${index}`, value: 'v'.repeat(30_000) })))
    expect(large.host.applied().map(({ payload }) => payload.length > 64 * 1024)).toEqual([false, false, false])
    const single = open()
    await single.store.import(
      [
        { key: 'a', value: '1' },
        { key: 'b', value: '2' },
      ],
      { keysPerWrite: 1 },
    )
    expect(single.host.applied()).toHaveLength(2)
    expect(await codeOf(store.import([], { keysPerWrite: 0 }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(store.import([], { keysPerWrite: MAX_BATCH_KEYS + 1 }))).toBe('INVALID_ARGUMENT')
  })

  test('that ends early says how many entries are there, whatever they shared a write with', async () => {
    const { host } = open()
    const stopping = openKv({
      ...host,
      execMany: async (_method, requests) => {
        let index = 0
        for await (const part of Symbol.iterator in requests ? [requests] : requests) {
          for (const _ of part) index += 1
        }
        expect(index).toBe(3)
        throw new LimitExceeded('too large', { limit: 1, actual: 2, written: 2, index: 2 } as never)
      },
    })
    const entries = Array.from({ length: 25 }, (_, index) => ({ key: `k${index}`, value: 'v' }))
    const error: unknown = await stopping.import(entries, { keysPerWrite: 10 }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'ImportStopped', code: 'LIMIT_EXCEEDED', detail: { written: 20, limit: 1 } })
    expect(error).not.toHaveProperty('detail.index')
  })
})

describe('writes', () => {
  test('put, delete and batch are read back', async () => {
    const { store } = open()
    await store.put('a', '1')
    await store.batch().put('b', '2').put('c', '3').delete('a').put('b', '4').commit()
    expect((await store.get('a')).value).toBeUndefined()
    expect(text((await store.get('b')).value)).toBe('4')
    expect(await store.count()).toBe(2)
  })

  test('a write replaces what this node sees; what it has not seen stands as a conflict until it is resolved', async () => {
    const { host, store } = open()
    await store.put('k', 'mine')
    host.deliver({ payload: putPayload('k', 'theirs'), author: other })
    expect(await store.get('k')).toEqual({ value: utf8Encode('theirs'), conflicted: true })
    const standing = await store.inspect('k')
    expect(standing.map((head) => text(head.value))).toEqual(['theirs', 'mine'])
    await store.resolve('k', 'both')
    expect(await store.get('k')).toEqual({ value: utf8Encode('both'), conflicted: false })
  })

  test('resolving without a value keeps what wins, and refuses where nothing is in conflict', async () => {
    const { host, store } = open()
    await store.put('k', 'mine')
    await expect(store.resolve('k', undefined)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(store.resolve('absent', undefined)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    host.deliver({ payload: putPayload('k', 'theirs'), author: other })
    await store.resolve('k', undefined)
    expect(await store.get('k')).toEqual({ value: utf8Encode('theirs'), conflicted: false })
  })

  test('forty concurrent values are replaced by one write', async () => {
    const { host, store } = open()
    for (let count = 0; count < 40; count += 1) host.deliver({ payload: putPayload('k', `${count}`), author: other })
    expect(await store.inspect('k')).toHaveLength(40)
    await store.put('k', 'one')
    expect(host.applied().at(-1)?.deps).toHaveLength(40)
    expect(await store.inspect('k')).toHaveLength(1)
  })

  test('more values than a write can cite do not make a key unwritable', async () => {
    const { host, store } = open()
    for (let count = 0; count < 300; count += 1) host.deliver({ payload: putPayload('k', `${count}`), author: other })
    const keys = Array.from({ length: MAX_BATCH_KEYS }, (_, at) => ({
      key: utf8Encode(`k${at === 0 ? '' : at}`),
      operation: { case: 'put' as const, value: utf8Encode('x') },
    }))
    const fill = toBinary(kv.KvPayloadSchema, create(kv.KvPayloadSchema, { operations: keys.slice(1) }))
    host.deliver({ payload: fill, author: other })
    // 300 heads of one key and one head, the same id, of 4,095 others.
    const batch = store.batch()
    for (const { key, operation } of keys) batch.put(key, operation.value)
    await batch.commit()
    expect(host.applied().at(-1)?.deps.length).toBeLessThanOrEqual(MAX_FOLDED_DEPS)
    expect(await store.count()).toBe(MAX_BATCH_KEYS)
    expect(text((await store.get('k')).value)).toBe('x')
  })

  test('what cannot be written is refused before anything is signed', async () => {
    const { host, store } = open()
    expect(await codeOf(store.put('', 'x'))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(store.put(new Uint8Array(MAX_KEY_BYTES + 1), 'x'))).toBe('LIMIT_EXCEEDED')
    expect(await codeOf(store.put('k', new Uint8Array(MAX_PAYLOAD_BYTES)))).toBe('LIMIT_EXCEEDED')
    expect(await codeOf(store.batch().commit())).toBe('INVALID_ARGUMENT')
    expect(await codeOf(store.batch().put('a', '1').put('', '2').commit())).toBe('INVALID_ARGUMENT')
    const many = store.batch()
    for (let count = 0; count <= MAX_BATCH_KEYS; count += 1) many.put(`${count}`, '')
    expect(await codeOf(many.commit())).toBe('LIMIT_EXCEEDED')
    const unset = toBinary(
      kv.BatchRequestSchema,
      create(kv.BatchRequestSchema, { operations: [{ key: utf8Encode('k') }] }),
    )
    expect(await codeOf(host.exec('Batch', unset, createAbortController().signal))).toBe('INVALID_ARGUMENT')
    expect(host.applied()).toEqual([])
  })

  test('the longest key and the largest value that fit are written', async () => {
    const { store } = open()
    const key = new Uint8Array(MAX_KEY_BYTES).fill(255)
    const value = new Uint8Array(MAX_PAYLOAD_BYTES - MAX_KEY_BYTES - 12)
    await store.put(key, value)
    expect((await store.get(key)).value).toEqual(value)
  })
})

describe('apply', () => {
  const payloadOf = (operations: Parameters<typeof create<typeof kv.KvPayloadSchema>>[1]): Uint8Array =>
    toBinary(kv.KvPayloadSchema, create(kv.KvPayloadSchema, operations))
  const put = { case: 'put' as const, value: utf8Encode('v') }
  const key = utf8Encode('k')

  test.each([
    ['garbage', Uint8Array.of(0xff, 0xff, 0xff), 'payload_malformed'],
    ['a truncated message', putPayload('k', 'v').subarray(0, 5), 'payload_malformed'],
    ['a field of a later version', Uint8Array.of(0x7a, 0x01, 0x00), 'payload_malformed'],
    [
      'a later field in an operation',
      Uint8Array.of(0x0a, 0x06, 0x0a, 0x01, 0x6b, 0x7a, 0x01, 0x00),
      'payload_malformed',
    ],
    ['nothing', new Uint8Array(), 'payload_empty'],
    ['an empty key', payloadOf({ operations: [{ key: new Uint8Array(), operation: put }] }), 'key_out_of_bounds'],
    [
      'a key that is too long',
      payloadOf({ operations: [{ key: new Uint8Array(4097), operation: put }] }),
      'key_out_of_bounds',
    ],
    ['an unset operation', payloadOf({ operations: [{ key }] }), 'operation_unset'],
    [
      'a bad operation after a good one',
      payloadOf({ operations: [{ key, operation: put }, { key }] }),
      'operation_unset',
    ],
  ])('%s is rejected and touches no row', (_name, payload, reason) => {
    const { host } = open()
    expect(host.deliver({ payload }).outcome).toEqual({ kind: 'rejected', reason })
    expect([...host.table.scan({})]).toEqual([])
  })

  test('for a key that comes twice the last operation counts', () => {
    const { host } = open()
    const remove = { case: 'delete' as const, value: {} }
    const { outcome } = host.deliver({
      payload: payloadOf({
        operations: [
          { key, operation: put },
          { key, operation: remove },
        ],
      }),
    })
    expect(outcome).toEqual({ kind: 'applied', events: [] })
  })

  test('any bytes are applied whole or rejected without a trace', () => {
    const valid = payloadOf({
      operations: [
        { key, operation: put },
        { key: utf8Encode('l'), operation: { case: 'delete', value: {} } },
      ],
    })
    const mutated = fc
      .array(fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const bytes = valid.slice()
        for (const [at, byte] of changes) bytes[at] = byte
        return bytes
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated), (payload) => {
        const { host } = open()
        const { outcome } = host.deliver({ payload })
        const rows = [...host.table.scan({})].length
        expect(outcome.kind === 'rejected' ? rows === 0 : rows > 0).toBe(true)
        expect(() => formatSExpr(kvStore.summarize(payload))).not.toThrow()
      }),
      { numRuns: 500 },
    )
  })

  test('a payload reads for people', () => {
    const payload = encodePayload([
      { key: utf8Encode('a'), state: { kind: 'value', value: Uint8Array.of(0xff) } },
      { key: utf8Encode('b\n'), state: { kind: 'tombstone' } },
    ])
    expect(formatSExpr(kvStore.summarize(payload))).toBe('(kv (put "a" 0xff) (delete 0x620a))')
    expect(formatSExpr(kvStore.summarize(Uint8Array.of(0xff)))).toBe('(rejected payload_malformed 0xff)')
  })
})

describe('List', () => {
  test('pages follow each other without a gap or a repeat, in both directions', async () => {
    const { store } = open()
    const batch = store.batch()
    const keys = Array.from({ length: 25 }, (_, at) => `k${String(at).padStart(2, '0')}`)
    for (const key of keys) batch.put(key, key)
    await batch.commit()
    const all = async (options: Parameters<Kv['list']>[0]): Promise<(string | undefined)[]> =>
      (await collect(store.list(options))).map((item) => text(item.key))
    for (const pageSize of [0, 1, 7, 25, 26]) {
      expect(await all({ pageSize })).toEqual(keys)
      expect(await all({ pageSize, reverse: true })).toEqual(keys.toReversed())
    }
    expect(await all({ prefix: 'k1', pageSize: 3 })).toEqual(keys.slice(10, 20))
    expect(await all({ start: 'k03', end: 'k06' })).toEqual(['k03', 'k04', 'k05'])
  })

  test('a page ends before it is too large to send', async () => {
    const { host, store } = open()
    const value = new Uint8Array(100_000)
    const fitting = Math.floor(MAX_PAGE_BYTES / value.length)
    for (let at = 0; at < fitting + 3; at += 1) await store.put(`${at}`, value)
    const request = toBinary(kv.ListRequestSchema, create(kv.ListRequestSchema, { limit: MAX_LIST_LIMIT }))
    const page = await host.exec('List', request, createAbortController().signal)
    expect(fromBinary(kv.ListResponseSchema, page).items).toHaveLength(fitting)
    expect(await collect(store.list({ pageSize: MAX_LIST_LIMIT }))).toHaveLength(fitting + 3)
  })

  test('a deleted key is not listed, counted or found, also in conflict', async () => {
    const { host, store } = open()
    await store.put('k', 'x')
    host.deliver({ payload: encodePayload([{ key: utf8Encode('k'), state: { kind: 'tombstone' } }]), author: other })
    expect(await store.get('k')).toEqual({ value: undefined, conflicted: true })
    expect(await collect(store.list())).toEqual([])
    expect(await store.count()).toBe(0)
    expect((await store.inspect('k')).map((head) => text(head.value))).toEqual([undefined, 'x'])
  })

  test('a token of something else, a page too large and a range upside down are refused', async () => {
    const { host, store } = open()
    await store.batch().put('a1', '').put('a2', '').put('b1', '').commit()
    const signal = createAbortController().signal
    const list = async (request: Parameters<typeof create<typeof kv.ListRequestSchema>>[1]): Promise<kv.ListResponse> =>
      fromBinary(
        kv.ListResponseSchema,
        await host.exec('List', toBinary(kv.ListRequestSchema, create(kv.ListRequestSchema, request)), signal),
      )
    const { nextPageToken } = await list({ prefix: utf8Encode('a'), limit: 1 })
    expect((await list({ prefix: utf8Encode('a'), limit: 1, pageToken: nextPageToken })).nextPageToken).toHaveLength(0)
    expect(await codeOf(list({ prefix: utf8Encode('b'), pageToken: nextPageToken }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(list({ prefix: utf8Encode('a'), reverse: true, pageToken: nextPageToken }))).toBe(
      'INVALID_ARGUMENT',
    )
    for (const pageToken of [Uint8Array.of(0), Uint8Array.of(1, 2, 97), Uint8Array.of(2, 0, 97), Uint8Array.of(1, 0)])
      expect(await codeOf(list({ pageToken }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(list({ limit: MAX_LIST_LIMIT + 1 }))).toBe('LIMIT_EXCEEDED')
    expect(await codeOf(list({ start: utf8Encode('b'), end: utf8Encode('a') }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(list({ prefix: new Uint8Array(MAX_KEY_BYTES + 1) }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(store.get(''))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(store.count({ start: 'b', end: 'a' }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(store.count({ end: 'x'.repeat(MAX_KEY_BYTES + 1) }))).toBe('INVALID_ARGUMENT')
  })
})

describe('kvStore', () => {
  test('describes itself: every field format names a field that exists', () => {
    const description = describeMachine(kvStore)
    expect(description.methods).toHaveLength(10)
    for (const { field } of description.formats) {
      const message = kvStore.service.file.messages.find((desc) => field.startsWith(`${desc.typeName}.`))
      expect(message?.fields.map((desc) => `${message.typeName}.${desc.name}`)).toContain(field)
    }
  })

  test('reads and writes are typed', () => {
    expectTypeOf<Kv['get']>().returns.resolves.toEqualTypeOf<KvRead>()
    expectTypeOf(openStream).parameter(1).toBeString()
    // @ts-expect-error A value is text or bytes.
    expectTypeOf<Kv['put']>().toBeCallableWith('k', 7)
  })
})
