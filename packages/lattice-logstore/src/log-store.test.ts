import { create, toBinary } from '@bufbuild/protobuf'
import {
  compareBytes,
  isLatticeError,
  MAX_WALL_MS,
  type PublicKey,
  toIntentionId,
  toPublicKey,
  utf8Decode,
  utf8Encode,
} from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { log } from '@lattice/proto'
import { createClient, describeMachine, MAX_PAYLOAD_BYTES } from '@lattice/store-base'
import { createMachineHost, type MachineHost } from '@lattice/store-base/testing'
import * as fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import type { LogEvent } from './apply-payload.ts'
import { encodeEntryKey } from './entry-key.ts'
import { MAX_BATCH_ENTRIES, MAX_PAGE_BYTES, MAX_READ_LIMIT, MAX_SCAN_ROWS, MAX_TAIL } from './limits.ts'
import { logStore } from './log-store.ts'
import { type Log, type LogRecord, openLog } from './open-log.ts'
import { encodePageToken } from './page-token.ts'
import { encodePayload } from './payload.ts'

function open(): { readonly host: MachineHost<LogEvent>; readonly store: Log } {
  const host = createMachineHost({ machine: logStore, table: createMemoryTable() })
  return { host, store: openLog(host) }
}

const authorOf = (number: number): PublicKey => toPublicKey(new Uint8Array(32).fill(number))
const payload = (...contents: readonly string[]): Uint8Array => encodePayload(contents.map((text) => utf8Encode(text)))
const texts = (entries: readonly LogRecord[]): (string | undefined)[] =>
  entries.map(({ content }) => utf8Decode(content))

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

async function codeOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => 'no error',
    (error: unknown) => (isLatticeError(error) ? error.code : error),
  )
}

describe('appending', () => {
  test('entries are read back in order, with their author, time and place', async () => {
    const { store } = open()
    const first = await store.append('one')
    const second = await store.appendBatch(['two', Uint8Array.of(0xff)])
    const entries = await collect(store.read())
    expect(entries).toMatchObject([
      { id: first, position: 0, wall: 1, counter: 0, author: authorOf(1), content: utf8Encode('one') },
      { id: second, position: 0, wall: 2, content: utf8Encode('two') },
      { id: second, position: 1, wall: 2, content: Uint8Array.of(0xff) },
    ])
    expect(await store.count()).toBe(3)
    expect(await store.get(second)).toEqual(entries.slice(1))
    expect(await store.get(toIntentionId(new Uint8Array(32)))).toEqual([])
  })

  test('many at once are one append each, and cite nothing', async () => {
    const { host, store } = open()
    const requests = ['a', 'b', 'c'].map((text) =>
      toBinary(log.AppendRequestSchema, create(log.AppendRequestSchema, { content: utf8Encode(text) })),
    )
    expect(await host.execMany('Append', requests, {})).toEqual({ written: 3 })
    expect(texts(await collect(store.read()))).toEqual(['a', 'b', 'c'])
    expect(host.applied().flatMap(({ deps }) => deps)).toEqual([])
  })

  test('what cannot be appended is refused before anything is signed', async () => {
    const { host, store } = open()
    expect(await codeOf(store.append(''))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(store.appendBatch([]))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(store.appendBatch(['a', '']))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(store.append(new Uint8Array(MAX_PAYLOAD_BYTES - 3)))).toBe('LIMIT_EXCEEDED')
    expect(await codeOf(store.appendBatch(Array.from({ length: MAX_BATCH_ENTRIES + 1 }, () => 'a')))).toBe(
      'LIMIT_EXCEEDED',
    )
    expect(host.applied()).toEqual([])
  })

  test('the largest entry and the most entries that fit are appended', async () => {
    const { store } = open()
    await store.append(new Uint8Array(MAX_PAYLOAD_BYTES - 4))
    await store.appendBatch(Array.from({ length: MAX_BATCH_ENTRIES }, () => 'a'))
    expect(await store.count()).toBe(1 + MAX_BATCH_ENTRIES)
  })

  test('two entries of one author at one time, and of one id’s first half, are two', async () => {
    const { host, store } = open()
    const timestamp = { wall: 5, counter: 5 }
    for (const last of [1, 2]) {
      const id = new Uint8Array(32).fill(7)
      id[31] = last
      host.deliver({ payload: payload(`${last}`), id: toIntentionId(id), timestamp })
    }
    expect(texts(await collect(store.read()))).toEqual(['1', '2'])
  })
})

describe('Read', () => {
  const ops = fc.array(
    fc.record({
      author: fc.integer({ min: 1, max: 8 }),
      wall: fc.nat({ max: 6 }),
      counter: fc.nat({ max: 2 }),
      entries: fc.integer({ min: 1, max: 3 }),
    }),
    { maxLength: 25 },
  )
  const options = fc.record({
    from: fc.nat({ max: 7 }),
    to: fc.nat({ max: 8 }),
    author: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
    pageSize: fc.integer({ min: 1, max: 4 }),
    reverse: fc.boolean(),
    tail: fc.nat({ max: 6 }),
  })

  // Model: all entries in a list, sorted and filtered.
  test('is the entries of a range, whatever the pages, from either end or the last so many', async () => {
    await fc.assert(
      fc.asyncProperty(ops, options, async (list, { from, to, author, pageSize, reverse, tail }) => {
        const { host, store } = open()
        const model: { readonly key: Uint8Array; readonly author: number; readonly wall: number }[] = []
        for (const { author: number, wall, counter, entries } of list) {
          const timestamp = { wall, counter }
          const { id } = host.deliver({
            payload: payload(...Array.from({ length: entries }, (_, at) => `${model.length + at}`)),
            author: authorOf(number),
            timestamp,
          })
          for (let position = 0; position < entries; position += 1)
            model.push({
              key: encodeEntryKey({ timestamp, author: authorOf(number), id, position }),
              author: number,
              wall,
            })
        }
        const end = to === 0 ? Infinity : Math.max(from, to)
        const range = { from, to: to === 0 ? 0 : end, ...(author && { author: authorOf(author) }) }
        const within = model
          .map((entry, at) => ({ ...entry, text: `${at}` }))
          .filter((entry) => entry.wall >= from && entry.wall < end && (author ?? entry.author) === entry.author)
          .sort((a, b) => compareBytes(a.key, b.key))
          .map(({ text }) => text)
        const all = texts(await collect(store.read({ ...range, pageSize, reverse })))
        expect(all).toEqual(reverse ? within.toReversed() : within)
        expect(await store.count(range)).toBe(within.length)
        const last = texts(await collect(store.read({ ...range, pageSize, tail })))
        expect(last).toEqual(tail === 0 ? within : within.slice(-tail))
      }),
      { numRuns: 300 },
    )
  })

  test('a tail stays the one that was asked for, whatever is appended while its pages are read', async () => {
    const { store } = open()
    for (let at = 0; at < 6; at += 1) await store.append(`${at}`)
    const seen = []
    for await (const entry of store.read({ tail: 4, pageSize: 1 })) {
      seen.push(utf8Decode(entry.content))
      await store.append('later')
    }
    expect(seen).toEqual(['2', '3', '4', '5'])
  })

  test('a page ends before it is too large to send', async () => {
    const { host, store } = open()
    for (let at = 0; at < 12; at += 1) await store.append(new Uint8Array(100_000).fill(65 + at))
    const client = createClient(logStore, host)
    const page = await client.read({})
    expect(page.entries).toHaveLength(Math.floor(MAX_PAGE_BYTES / 100_000))
    expect(await collect(store.read())).toHaveLength(12)
    expect(await collect(store.read({ reverse: true }))).toHaveLength(12)
    expect(await collect(store.read({ tail: 11 }))).toHaveLength(11)
  })

  test('the few entries of one author among very many are found page by page, and not as a tail', async () => {
    const { host, store } = open()
    const batch = payload(...Array.from({ length: MAX_BATCH_ENTRIES }, () => 'x'))
    host.deliver({ payload: payload('first'), author: authorOf(2) })
    for (let count = 0; count * MAX_BATCH_ENTRIES <= 5 * MAX_SCAN_ROWS; count += 1) host.deliver({ payload: batch })
    const client = createClient(logStore, host)
    const page = await client.read({ range: { author: authorOf(2) }, reverse: true })
    expect(page.entries).toEqual([])
    expect(page.nextPageToken.length).toBeGreaterThan(0)
    const range = { author: authorOf(2) }
    expect(texts(await collect(store.read({ ...range, reverse: true })))).toEqual(['first'])
    expect(texts(await collect(store.read(range)))).toEqual(['first'])
    expect(await codeOf(collect(store.read({ ...range, tail: 1 })))).toBe('LIMIT_EXCEEDED')
  })

  test('what holds too much to be the newest at once is refused', async () => {
    const { store } = open()
    for (let at = 0; at < 170; at += 1) await store.append(new Uint8Array(100_000))
    expect(await codeOf(collect(store.read({ tail: 170 })))).toBe('LIMIT_EXCEEDED')
    expect(await collect(store.read({ tail: 100 }))).toHaveLength(100)
  })

  test('bad ranges, limits and tokens are refused; a token that was made up is a place in the log', async () => {
    const { host, store } = open()
    await store.appendBatch(['a', 'b', 'c'])
    const client = createClient(logStore, host)
    const read = async (request: Parameters<typeof client.read>[0]): Promise<log.ReadResponse> => client.read(request)
    const key = encodeEntryKey({
      timestamp: { wall: 0, counter: 0 },
      author: authorOf(1),
      id: toIntentionId(authorOf(1)),
      position: 0,
    })
    const token = encodePageToken({ after: key, reverse: false, until: undefined })
    for (const request of [
      { range: { from: 2n, to: 1n } },
      { range: { from: BigInt(MAX_WALL_MS) + 1n } },
      { range: { from: 2n ** 64n - 1n } },
      { range: { author: new Uint8Array(31) } },
      { reverse: true, tail: 1 },
      { pageToken: Uint8Array.of(1) },
      { pageToken: token.subarray(1) },
      { pageToken: Uint8Array.of(2, ...token.slice(1)) },
      { pageToken: Uint8Array.of(1, 3, ...token.slice(2)) },
      { pageToken: Uint8Array.of(1, 2, ...token.slice(2)) },
      { pageToken: Uint8Array.of(...token, 0) },
      { pageToken: token, reverse: true },
      { pageToken: token, tail: 1 },
      { pageToken: token, range: { from: 1n } },
      { pageToken: encodePageToken({ after: key, reverse: false, until: key }) },
    ])
      expect(await codeOf(read(request))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(read({ limit: MAX_READ_LIMIT + 1 }))).toBe('LIMIT_EXCEEDED')
    expect(await codeOf(read({ tail: MAX_TAIL + 1 }))).toBe('LIMIT_EXCEEDED')
    expect(await codeOf(client.get({ id: new Uint8Array(31) }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(client.count({ range: { from: 2n, to: 1n } }))).toBe('INVALID_ARGUMENT')
    for (const from of [-1, 1.5, Number.NaN, 2 ** 60])
      expect(await codeOf(collect(store.read({ from })))).toBe('INVALID_ARGUMENT')
    expect((await read({ pageToken: token })).entries).toHaveLength(3)
    expect((await read({ range: { to: 2n ** 64n - 1n } })).entries).toHaveLength(3)
    const until = new Uint8Array(key.length).fill(0xff)
    expect(
      (await read({ tail: 1, pageToken: encodePageToken({ after: key, reverse: false, until }) })).entries,
    ).toHaveLength(3)
  })

  test('of any token and range never fails but with a typed error', async () => {
    const { host, store } = open()
    await store.appendBatch(['a', 'b', 'c'])
    const client = createClient(logStore, host)
    const token = encodePageToken({ after: new Uint8Array(78), reverse: false, until: new Uint8Array(78).fill(255) })
    const tokens = fc
      .array(fc.tuple(fc.nat({ max: token.length - 1 }), fc.nat({ max: 255 })), { maxLength: 4 })
      .map((changes) => {
        const bytes = token.slice()
        for (const [at, byte] of changes) bytes[at] = byte
        return bytes
      })
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(tokens, fc.uint8Array({ maxLength: 90 })),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.nat({ max: 3 }),
        async (pageToken, from, to, tail) => {
          const code = await codeOf(client.read({ pageToken, range: { from, to }, tail }))
          expect(['no error', 'INVALID_ARGUMENT']).toContain(code)
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('logStore', () => {
  test('describes itself: every field format names a field that exists', () => {
    const description = describeMachine(logStore)
    expect(description.methods.map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      'command Append',
      'command AppendBatch',
      'query Read',
      'query Get',
      'query Count',
      'stream Follow',
    ])
    for (const { field } of description.formats) {
      const message = logStore.service.file.messages.find((desc) => field.startsWith(`${desc.typeName}.`))
      expect(message?.fields.map((desc) => `${message.typeName}.${desc.name}`)).toContain(field)
    }
  })

  test('reads and writes are typed', () => {
    expectTypeOf<Log['read']>().returns.toEqualTypeOf<AsyncIterable<LogRecord>>()
    // @ts-expect-error An entry is text or bytes.
    expectTypeOf<Log['append']>().toBeCallableWith(7)
  })
})
