import { createAbortController, toPublicKey, utf8Decode, utf8Encode } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { createMachineHost, type MachineHost } from '@lattice/store-base/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KvEvent } from './apply-payload.ts'
import { kvStore } from './kv-store.ts'
import { CATCH_UP_TURN_WRITES, MAX_CATCH_UP_WRITES, MAX_SNAPSHOT_BYTES } from './limits.ts'
import { type Kv, openKv } from './open-kv.ts'
import { encodePayload } from './payload.ts'
import type { KvWatchEvent } from './watch-kv.ts'

const other = toPublicKey(new Uint8Array(32).fill(9))

function open(streamCapacity = 64): { readonly host: MachineHost<KvEvent>; readonly store: Kv } {
  const host = createMachineHost({ machine: kvStore, table: createMemoryTable(), streamCapacity })
  return { host, store: openKv(host) }
}

function payload(key: string, value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === 'string' ? utf8Encode(value) : value
  return encodePayload([{ key: utf8Encode(key), state: { kind: 'value', value: bytes } }])
}

async function take(events: AsyncIterable<KvWatchEvent>, count: number): Promise<KvWatchEvent[]> {
  const taken: KvWatchEvent[] = []
  for await (const event of events) if (taken.push(event) === count) break
  return taken
}

function line(event: KvWatchEvent): string {
  switch (event.kind) {
    case 'put':
      return `${utf8Decode(event.key) ?? '?'}=${utf8Decode(event.value) ?? '?'}${event.conflicted ? '!' : ''}`
    case 'deleted':
      return `-${utf8Decode(event.key) ?? '?'}`
    case 'lagged':
      return `lagged ${event.count}`
    case 'snapshot_end':
    case 'caught_up':
      return event.kind
  }
}

const lines = (events: readonly KvWatchEvent[]): string[] => events.map(line)

/** A cursor of now. */
async function cursorOf(store: Kv, prefix = ''): Promise<Uint8Array> {
  const [end] = await take(store.watch({ prefix: `${prefix}none`, snapshot: true }), 1)
  if (end?.cursor === undefined) throw new Error('the end of a snapshot has a cursor')
  return end.cursor
}

describe('Watch', () => {
  const item = (key: string, value: string, conflicted = false): object => ({
    kind: 'put',
    key: utf8Encode(key),
    value: utf8Encode(value),
    conflicted,
  })

  test('begins with what is there, then follows what readers see', async () => {
    const { store } = open()
    await store.put('p/a', '1')
    await store.put('q', 'elsewhere')
    const events = store.watch({ prefix: 'p/', snapshot: true })
    await store.put('p/a', '2')
    await store.put('p/a', '2')
    await store.put('q', 'elsewhere again')
    await store.delete('p/a')
    await store.delete('p/a')
    await store.put('p/b', '3')
    expect(await take(events, 5)).toMatchObject([
      item('p/a', '1'),
      { kind: 'snapshot_end' },
      item('p/a', '2'),
      { kind: 'deleted', key: utf8Encode('p/a') },
      item('p/b', '3'),
    ])
  })

  test('a write that loses tells of the conflict and of the value that stands', async () => {
    const { host, store } = open()
    await store.put('k', 'new')
    const events = store.watch()
    host.deliver({ payload: payload('k', 'old'), author: other, timestamp: { wall: 0, counter: 1 } })
    expect(await take(events, 1)).toMatchObject([item('k', 'new', true)])
  })

  test('a slow watcher is told what it missed', async () => {
    const { store } = open(2)
    const events = store.watch()
    for (let count = 0; count < 5; count += 1) await store.put('k', `${count}`)
    expect(await take(events, 3)).toMatchObject([{ kind: 'lagged', count: 3 }, item('k', '3'), item('k', '4')])
  })

  test('ends when its signal aborts', async () => {
    const { store } = open()
    const controller = createAbortController()
    const events = store.watch({ signal: controller.signal })
    controller.abort()
    expect(await take(events, 1)).toEqual([])
  })

  test('a snapshot that is too large to hold is refused', () => {
    const value = new Uint8Array(100_000)
    const { host } = open()
    for (let at = 0; at * value.length <= MAX_SNAPSHOT_BYTES; at += 1)
      host.deliver({ payload: encodePayload([{ key: utf8Encode(`${at}`), state: { kind: 'value', value } }]) })
    expect(() => openKv(host).watch({ snapshot: true })).toThrow('watch without a snapshot')
  })
})

describe('Watch from a cursor', () => {
  test('tells each key that changed since, once, as it reads now; then what comes', async () => {
    const { host, store } = open()
    await store.batch().put('p/kept', '0').put('p/gone', '0').put('p/twice', '0').commit()
    const cursor = await cursorOf(store)
    await store.put('p/twice', '1')
    await store.put('q', 'elsewhere')
    await store.delete('p/gone')
    await store.put('p/twice', '2')
    host.deliver({ payload: payload('p/new', 'a') })
    host.deliver({ payload: payload('p/new', 'b') })
    host.deliver({ payload: Uint8Array.of(0xff) })
    const events = store.watch({ prefix: 'p/', cursor })
    const reading = take(events, 6)
    await Promise.resolve()
    await store.put('p/live', '3')
    await store.put('p/live', '4')
    const taken = await reading
    expect(lines(taken)).toEqual(['-p/gone', 'p/twice=2', 'p/new=b!', 'caught_up', 'p/live=3', 'p/live=4'])
    // Whoever leaves before it has caught up begins the catching up again.
    expect(taken.slice(0, 3).map((event) => event.cursor)).toEqual([cursor, cursor, cursor])
    expect(lines(await take(store.watch({ prefix: 'p/', cursor: taken[4]?.cursor ?? cursor }), 2))).toEqual([
      'p/live=4',
      'caught_up',
    ])
  })

  test('of one commit told in part tells the whole commit again', async () => {
    const { store } = open()
    const events = store.watch()
    await store.put('a', '0')
    await store.batch().put('b', '1').put('c', '2').put('d', '3').commit()
    const [, b, , d] = await take(events, 4)
    expect(lines(await take(store.watch({ cursor: b?.cursor ?? new Uint8Array() }), 4))).toEqual([
      'b=1',
      'c=2',
      'd=3',
      'caught_up',
    ])
    expect(lines(await take(store.watch({ cursor: d?.cursor ?? new Uint8Array() }), 1))).toEqual(['caught_up'])
  })

  test.each([
    ['of another log', (host: MachineHost<KvEvent>) => host.replaceLog()],
    ['from before the log begins', (host: MachineHost<KvEvent>) => host.cutLog(2)],
  ])('%s is never taken for one: with a snapshot that is what comes, else it is told', async (_name, change) => {
    const { host, store } = open()
    const cursor = await cursorOf(store)
    await store.put('a', '1')
    await store.put('b', '2')
    change(host)
    expect(lines(await take(store.watch({ cursor, snapshot: true }), 3))).toEqual(['a=1', 'b=2', 'snapshot_end'])
    const events = store.watch({ cursor })
    await store.put('c', '3')
    const [lagged, live] = await take(events, 2)
    expect(lagged).toEqual({ kind: 'lagged', count: 0, cursor: undefined })
    expect(live && line(live)).toBe('c=3')
  })

  test.each([[Uint8Array.of(1)], [new Uint8Array(8)], [new Uint8Array(4096).fill(7)]])(
    'that was made up is told as lagging (%#)',
    async (cursor) => {
      const { store } = open()
      expect(lines(await take(store.watch({ cursor }), 1))).toEqual(['lagged 0'])
    },
  )

  test('what is too much to catch up with is told, or begun anew with a snapshot', async () => {
    const { host, store } = open()
    const cursor = await cursorOf(store)
    const many = { payload: payload('k', 'v') }
    let last = host.deliver(many).id
    // Each cites the one before, so that one head stands.
    for (let count = 1; count <= MAX_CATCH_UP_WRITES; count += 1) last = host.deliver({ ...many, deps: [last] }).id
    expect(lines(await take(store.watch({ cursor }), 1))).toEqual(['lagged 0'])
    expect(lines(await take(store.watch({ cursor, snapshot: true }), 2))).toEqual(['k=v', 'snapshot_end'])
  })

  test('more bytes than may be held at once are told as lagging', async () => {
    const { host, store } = open()
    const cursor = await cursorOf(store)
    const value = new Uint8Array(100_000)
    for (let at = 0; at * value.length <= MAX_SNAPSHOT_BYTES; at += 1)
      host.deliver({ payload: payload(`${at}`, value) })
    expect(lines(await take(store.watch({ cursor }), 1))).toEqual(['lagged 0'])
  })

  test('lets other work in between, and misses nothing of it', async () => {
    const { host, store } = open()
    const cursor = await cursorOf(store)
    for (let count = 0; count < 3 * CATCH_UP_TURN_WRITES; count += 1) await store.put(`k${count % 7}`, `${count}`)
    const reading = take(store.watch({ cursor }), 10)
    host.deliver({ payload: payload('between', '1') })
    await Promise.resolve()
    host.deliver({ payload: payload('later', '2') })
    const seen = lines(await reading)
    expect(seen).toContain('between=1')
    expect(seen).toContain('later=2')
    expect(new Set(seen).size).toBe(10)
  })

  test('one that lags goes on from what it heard last', async () => {
    const { store } = open(2)
    const events = store.watch()[Symbol.asyncIterator]()
    await store.put('a', '1')
    await events.next()
    for (let count = 0; count < 5; count += 1) await store.put('b', `${count}`)
    await store.put('c', '1')
    const { value: lagged } = await events.next()
    if (lagged === undefined) throw new Error('the watch goes on')
    expect(line(lagged)).toBe('lagged 4')
    const again = await take(store.watch({ cursor: lagged.cursor ?? new Uint8Array() }), 3)
    expect(lines(again)).toEqual(['b=4', 'c=1', 'caught_up'])
  })

  test('that is left at any point follows no more', async () => {
    const { host, store } = open()
    const cursor = await cursorOf(store)
    await store.batch().put('a', '1').put('b', '2').commit()
    for (const [options, most] of [
      [{ snapshot: true }, 3],
      [{ cursor }, 3],
      [{ cursor: Uint8Array.of(1) }, 1],
    ] as const)
      for (let count = 1; count <= most; count += 1) {
        const events = store.watch(options)[Symbol.asyncIterator]()
        for (let told = 0; told < count; told += 1) await events.next()
        expect(host.subscribers()).toBe(1)
        await events.return?.()
        expect(host.subscribers()).toBe(0)
      }
  })

  test('ends when its signal aborts, while it catches up too', async () => {
    const { store } = open()
    const cursor = await cursorOf(store)
    await store.put('a', '1')
    const controller = createAbortController()
    const events = store.watch({ cursor, signal: controller.signal })
    controller.abort()
    const seen = []
    for await (const event of events) seen.push(event)
    expect(seen).toEqual([])
  })

  type Step =
    | { readonly kind: 'put'; readonly key: string; readonly value: string }
    | { readonly kind: 'delete'; readonly key: string }
    | { readonly kind: 'foreign'; readonly key: string; readonly value: string }
    | { readonly kind: 'read'; readonly count: number }
    | { readonly kind: 'leave' }
  const key = fc.constantFrom('p/a', 'p/b', 'p/c', 'q/a')
  const value = fc.string({ maxLength: 2 })
  const steps = fc.array(
    fc.oneof<fc.Arbitrary<Step>[]>(
      fc.record({ kind: fc.constant('put' as const), key, value }),
      fc.record({ kind: fc.constant('delete' as const), key }),
      fc.record({ kind: fc.constant('foreign' as const), key, value }),
      fc.record({ kind: fc.constant('read' as const), count: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ kind: fc.constant('leave' as const) }),
    ),
    { maxLength: 40 },
  )

  // Model: a watcher that writes down what it is told, comes and goes, and has only its last cursor in between.
  test('whoever comes back with its last cursor ends up with what is there, however it left', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 6 }), async (script, capacity) => {
        const { host, store } = open(capacity)
        const known = new Map<string, string>()
        let cursor: Uint8Array | undefined
        let snapshot = new Set<string>()
        let watch: AsyncIterator<KvWatchEvent> | undefined
        const enter = (): AsyncIterator<KvWatchEvent> =>
          store.watch({ prefix: 'p/', snapshot: true, ...(cursor && { cursor }) })[Symbol.asyncIterator]()
        const leave = async (): Promise<void> => {
          await watch?.return?.()
          watch = undefined
          snapshot = new Set()
        }
        const hear = async (): Promise<KvWatchEvent | undefined> => {
          watch ??= enter()
          const { value: event } = await watch.next()
          if (event === undefined) return undefined
          cursor = event.cursor ?? (event.kind === 'lagged' ? undefined : cursor)
          if (event.kind === 'put') {
            known.set(line({ ...event, value: new Uint8Array() }).slice(0, 3), line(event))
            snapshot.add(line(event).slice(0, 3))
          }
          if (event.kind === 'deleted') known.delete(utf8Decode(event.key) ?? '')
          if (event.kind === 'snapshot_end') {
            for (const each of known.keys()) if (!snapshot.has(each)) known.delete(each)
            snapshot = new Set()
          }
          if (event.kind === 'caught_up') snapshot = new Set()
          if (event.kind === 'lagged') await leave()
          return event
        }
        // A write that is told for certain, so that reading ends.
        let marks = 0
        const hearAll = async (): Promise<void> => {
          marks += 1
          await store.put('p/~', `${marks}`)
          let isMarkHeard = false
          for (let event = await hear(); event !== undefined; event = await hear()) {
            isMarkHeard ||= line(event) === `p/~=${marks}`
            // Inside a snapshot there is no cursor yet, and what it leaves out is not known.
            if (isMarkHeard && event.cursor !== undefined) break
          }
        }
        for (const step of script) {
          if (step.kind === 'put') await store.put(step.key, step.value)
          else if (step.kind === 'delete') await store.delete(step.key)
          else if (step.kind === 'foreign') host.deliver({ payload: payload(step.key, step.value) })
          else if (step.kind === 'leave') await leave()
          else {
            await store.put('p/~', `x${(marks += 1)}`)
            for (let count = 0; count < step.count; count += 1) {
              const event = await hear()
              if (event === undefined || event.kind === 'snapshot_end') break
              if (event.cursor !== undefined && line(event).startsWith('p/~')) break
            }
          }
        }
        await hearAll()
        const there = new Map<string, string>()
        for await (const item of store.list({ prefix: 'p/' }))
          there.set(utf8Decode(item.key) ?? '', line({ kind: 'put', ...item, cursor: undefined }))
        expect(known).toEqual(there)
        await leave()
      }),
      { numRuns: 1500 },
    )
  })
})
