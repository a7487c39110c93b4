import {
  compareBytes,
  compareHlc,
  idKey,
  type IntentionId,
  isLatticeError,
  type PublicKey,
  toIntentionId,
  toPublicKey,
  utf8Decode,
  utf8Encode,
} from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { createClient } from '@lattice/store-base'
import { createMachineHost, type MachineHost } from '@lattice/store-base/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KvEvent } from './apply-payload.ts'
import { encodeHistoryToken } from './history-token.ts'
import { kvStore } from './kv-store.ts'
import { MAX_HISTORY_LIMIT, MAX_OPEN_WRITES } from './limits.ts'
import { type Kv, type KvHistoryItem, openKv } from './open-kv.ts'
import { encodePayload } from './payload.ts'

function open(): { readonly host: MachineHost<KvEvent>; readonly store: Kv } {
  const host = createMachineHost({ machine: kvStore, table: createMemoryTable() })
  return { host, store: openKv(host) }
}

async function collect(items: AsyncIterable<KvHistoryItem>): Promise<KvHistoryItem[]> {
  const collected: KvHistoryItem[] = []
  for await (const item of items) collected.push(item)
  return collected
}

function put(entries: Readonly<Record<string, string | undefined>>): Uint8Array {
  return encodePayload(
    Object.entries(entries).map(([key, value]) => ({
      key: utf8Encode(key),
      state: value === undefined ? { kind: 'tombstone' } : { kind: 'value', value: utf8Encode(value) },
    })),
  )
}

async function codeOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => 'no error',
    (error: unknown) => (isLatticeError(error) ? error.code : error),
  )
}

const told = (items: readonly KvHistoryItem[]): unknown[] =>
  items.map((item) => (item.kind === 'cut_off' ? 'cut off' : item.value && utf8Decode(item.value)))

interface Write {
  readonly id: IntentionId
  readonly author: PublicKey
  readonly wall: number
  readonly keys: readonly string[]
  readonly deps: readonly IntentionId[]
}

/** A history of writes that see what they see: each is later than what it cites, and authors write at equal times. */
const plans = fc.array(
  fc.record({
    author: fc.integer({ min: 1, max: 8 }),
    keys: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }),
    cited: fc.array(fc.nat({ max: 6 }), { maxLength: 4 }),
    isGarbage: fc.boolean(),
    wait: fc.nat({ max: 2 }),
  }),
  { maxLength: 30 },
)

function build(host: MachineHost<KvEvent>, plan: typeof plans extends fc.Arbitrary<infer T> ? T : never): Write[] {
  const all: Write[] = []
  for (const [index, { author, keys, cited, isGarbage, wait }] of plan.entries()) {
    const deps = [...new Set(cited)].flatMap((back) => all.at(-1 - back) ?? [])
    const wall = Math.max(0, ...deps.map((write) => write.wall)) + 1 + wait
    const id = toIntentionId(new Uint8Array(32).fill((index * 83 + author * 7) % 251, 0, 31))
    id[31] = index
    const write = {
      id,
      author: toPublicKey(new Uint8Array(32).fill(author)),
      wall,
      keys: isGarbage ? [] : keys,
      deps: deps.map((each) => each.id),
    }
    const payload = isGarbage
      ? Uint8Array.of(0xff)
      : put(Object.fromEntries(keys.map((key) => [key, index % 5 === 0 ? undefined : `${index}`])))
    host.deliver({ payload, id, author: write.author, timestamp: { wall, counter: 0 }, deps: write.deps })
    all.push(write)
  }
  return all
}

function latestFirst(a: Write, b: Write): number {
  return (
    compareHlc({ wall: b.wall, counter: 0 }, { wall: a.wall, counter: 0 }) ||
    compareBytes(b.author, a.author) ||
    compareBytes(b.id, a.id)
  )
}

describe('History', () => {
  // Model: every write of the key, sorted. One stands when no other write of the key cites it.
  test('tells every write of a key once, newest first, whatever the pages, and where the log ends', async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.integer({ min: 1, max: 5 }), fc.nat({ max: 30 }), async (plan, pageSize, cut) => {
        const { host, store } = open()
        const all = build(host, plan)
        host.cutLog(cut)
        for (const key of ['a', 'b', 'c']) {
          const writes = all.filter(({ keys }) => keys.includes(key))
          const replaced = new Set(writes.flatMap(({ deps }) => deps.map(idKey)))
          const stands = (write: Write): boolean => !replaced.has(idKey(write.id))
          const reached = writes.filter((write) => all.indexOf(write) >= cut || stands(write)).toSorted(latestFirst)
          const items = await collect(store.history(key, { pageSize }))
          const entries = items.flatMap((item) => (item.kind === 'write' ? [item] : []))
          expect(entries.map(({ id }) => idKey(id))).toEqual(reached.map(({ id }) => idKey(id)))
          expect(entries.map((entry) => entry.stands)).toEqual(reached.map(stands))
          expect(entries.filter(({ wins }) => wins).map(({ id }) => idKey(id))).toEqual(
            reached
              .filter(stands)
              .slice(0, 1)
              .map(({ id }) => idKey(id)),
          )
          if (reached.length < writes.length) expect(items.at(-1)).toEqual({ kind: 'cut_off' })
          if (cut === 0) expect(items).toHaveLength(entries.length)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('has deletions, says who wrote what when, and which write a reader sees', async () => {
    const { host, store } = open()
    const first = await store.put('k', '1')
    await store.put('other', 'x')
    const second = await store.delete('k')
    const author = toPublicKey(new Uint8Array(32).fill(9))
    const { id: third } = host.deliver({ payload: put({ k: '3' }), author, timestamp: { wall: 9, counter: 4 } })
    expect(await collect(store.history('k'))).toMatchObject([
      { id: third, author, wall: 9, counter: 4, value: utf8Encode('3'), stands: true, wins: true },
      { id: second, value: undefined, stands: true, wins: false },
      { id: first, value: utf8Encode('1'), stands: false, wins: false },
    ])
    expect(await collect(store.history('nothing'))).toEqual([])
  })

  test('a page that is full of bytes goes on with the next', async () => {
    const { store } = open()
    for (let count = 0; count < 12; count += 1) await store.put('k', `${count}`.padEnd(100_000, '.'))
    const items = await collect(store.history('k'))
    expect(told(items).map((text) => Number.parseInt(text as string, 10))).toEqual([
      11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
    ])
  })

  /** `count` writes side by side, each replaced by one of those that follow all of them. */
  function writeSideBySide(host: MachineHost<KvEvent>, count: number): void {
    const group = 300
    for (let begin = 0; begin < count; begin += group) {
      const size = Math.min(group, count - begin)
      const deps = Array.from({ length: size }, (_, at) => host.deliver({ payload: put({ k: `${begin + at}` }) }).id)
      host.deliver({ payload: put({ k: 'later' }), deps, timestamp: { wall: 1_000_000 + begin, counter: 0 } })
    }
  }

  test('more writes side by side than a page reads are all told', async () => {
    const { host, store } = open()
    writeSideBySide(host, 4500)
    const items = await collect(store.history('k', { pageSize: MAX_HISTORY_LIMIT }))
    const later = Array.from({ length: 15 }, () => 'later')
    expect(told(items)).toEqual([...later, ...Array.from({ length: 4500 }, (_, at) => `${4499 - at}`)])
  })

  test('more than are followed side by side are cut off, and that is said', async () => {
    const { host, store } = open()
    writeSideBySide(host, MAX_OPEN_WRITES + 100)
    const items = await collect(store.history('k', { pageSize: MAX_HISTORY_LIMIT }))
    expect(items.length).toBeGreaterThan(MAX_OPEN_WRITES)
    expect(items.length).toBeLessThanOrEqual(MAX_OPEN_WRITES + 29)
    expect(items.at(-1)).toEqual({ kind: 'cut_off' })
  })

  test('what is cited and no write of the key leads no further', async () => {
    const { host, store } = open()
    const { id: garbage } = host.deliver({ payload: Uint8Array.of(0xff) })
    const { id: other } = host.deliver({ payload: put({ other: '1' }), deps: [garbage] })
    host.deliver({ payload: put({ k: '1' }), deps: [other, garbage] })
    expect(told(await collect(store.history('k')))).toEqual(['1'])
  })

  test('bad keys, pages and tokens are refused; a token that was made up shows nothing that is not there', async () => {
    const { host } = open()
    const { id: first } = host.deliver({ payload: put({ k: '1' }) })
    const { id: other } = host.deliver({ payload: put({ l: '2' }) })
    const client = createClient(kvStore, host)
    const history = async (pageToken: Uint8Array, key = 'k', limit = 0): Promise<unknown> =>
      client.history({ key: utf8Encode(key), pageToken, limit })
    const none = new Uint8Array()
    expect(await codeOf(history(none, ''))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(history(none, 'x'.repeat(5000)))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(history(none, 'k', MAX_HISTORY_LIMIT + 1))).toBe('LIMIT_EXCEEDED')
    const good = encodeHistoryToken({ open: [first], isCutOff: false })
    expect(await history(good)).toMatchObject({ entries: [{ id: first }], cutOff: false })
    const bad = [
      Uint8Array.of(1),
      Uint8Array.of(1, 0),
      Uint8Array.of(2, ...good.slice(1)),
      Uint8Array.of(1, 2, ...good.slice(2)),
      good.subarray(0, 33),
      encodeHistoryToken({ open: [other], isCutOff: false }),
      encodeHistoryToken({ open: Array.from({ length: MAX_OPEN_WRITES + 1 }, () => first), isCutOff: false }),
    ]
    for (const token of bad) expect(await codeOf(history(token))).toBe('INVALID_ARGUMENT')
    // Named twice it is told once; what is not here counts as gone.
    const twice = encodeHistoryToken({
      open: [first, first, toIntentionId(new Uint8Array(32).fill(7))],
      isCutOff: false,
    })
    expect(await history(twice)).toMatchObject({ entries: [{ id: first }], cutOff: true })
  })
})
