import {
  createAbortController,
  isLatticeError,
  type PublicKey,
  toPublicKey,
  utf8Decode,
  utf8Encode,
} from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { createMachineHost, type MachineHost } from '@lattice/store-base/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LogEvent } from './apply-payload.ts'
import { CATCH_UP_TURN_WRITES, MAX_TAIL } from './limits.ts'
import { logStore } from './log-store.ts'
import { type Log, type LogFollowEvent, openLog } from './open-log.ts'
import { encodePayload } from './payload.ts'

function open(streamCapacity = 64): { readonly host: MachineHost<LogEvent>; readonly store: Log } {
  const host = createMachineHost({ machine: logStore, table: createMemoryTable(), streamCapacity })
  return { host, store: openLog(host) }
}

const authorOf = (number: number): PublicKey => toPublicKey(new Uint8Array(32).fill(number))
const payload = (...contents: readonly string[]): Uint8Array => encodePayload(contents.map((text) => utf8Encode(text)))

async function take(events: AsyncIterable<LogFollowEvent>, count: number): Promise<LogFollowEvent[]> {
  const taken: LogFollowEvent[] = []
  for await (const event of events) if (taken.push(event) === count) break
  return taken
}

function line(event: LogFollowEvent): string {
  switch (event.kind) {
    case 'entry':
      return utf8Decode(event.content) ?? '?'
    case 'lagged':
      return `lagged ${event.count}`
    case 'caught_up':
      return event.kind
  }
}

const lines = (events: readonly LogFollowEvent[]): string[] => events.map(line)

async function cursorOf(store: Log): Promise<Uint8Array> {
  const [end] = await take(store.follow(), 1)
  if (end?.cursor === undefined) throw new Error('whoever has caught up has a cursor')
  return end.cursor
}

async function codeOf(attempt: () => Promise<unknown>): Promise<unknown> {
  try {
    await attempt()
    return 'no error'
  } catch (error) {
    return isLatticeError(error) ? error.code : error
  }
}

describe('Follow', () => {
  test('begins with the newest, then tells what arrives, also what was written earlier elsewhere', async () => {
    const { host, store } = open()
    await store.appendBatch(['1', '2', '3'])
    const events = store.follow({ tail: 2 })
    await store.append('4')
    host.deliver({ payload: payload('late'), author: authorOf(9), timestamp: { wall: 0, counter: 0 } })
    host.deliver({ payload: Uint8Array.of(0xff) })
    expect(lines(await take(events, 5))).toEqual(['2', '3', 'caught_up', '4', 'late'])
  })

  test('of one author leaves out the others, at the beginning, from a cursor and live', async () => {
    const { host, store } = open()
    const cursor = await cursorOf(store)
    const write = (author: number, text: string): unknown =>
      host.deliver({ payload: payload(text), author: authorOf(author) })
    write(2, 'a')
    write(3, 'b')
    const author = authorOf(2)
    const [fromTail, fromCursor] = [store.follow({ tail: 5, author }), store.follow({ cursor, author })]
    const reading = take(fromCursor, 3)
    await Promise.resolve()
    write(3, 'c')
    write(2, 'd')
    expect(lines(await take(fromTail, 3))).toEqual(['a', 'caught_up', 'd'])
    expect((await reading).map(line).toSorted()).toEqual(['a', 'caught_up', 'd'])
  })

  test('goes on after the cursor of any event, with nothing missed and no step half told', async () => {
    const { store } = open()
    const live = store.follow()
    await store.append('1')
    await store.appendBatch(['2', '3'])
    await store.append('4')
    const [begun, one, two, three, four] = await take(live, 5)
    const from = async (event: LogFollowEvent | undefined, count: number): Promise<string[]> =>
      lines(await take(store.follow({ cursor: event?.cursor ?? new Uint8Array() }), count))
    expect(await from(begun, 5)).toEqual(['1', '2', '3', '4', 'caught_up'])
    expect(await from(one, 4)).toEqual(['2', '3', '4', 'caught_up'])
    expect(await from(two, 4)).toEqual(['2', '3', '4', 'caught_up'])
    expect(await from(three, 2)).toEqual(['4', 'caught_up'])
    expect(await from(four, 1)).toEqual(['caught_up'])
    // Each write that is caught up with has a cursor of its own.
    const [first, second] = await take(store.follow({ cursor: begun?.cursor ?? new Uint8Array() }), 2)
    expect(await from(first, 4)).toEqual(['2', '3', '4', 'caught_up'])
    expect(await from(second, 4)).toEqual(['2', '3', '4', 'caught_up'])
  })

  test.each([
    ['of another log', (host: MachineHost<LogEvent>) => host.replaceLog()],
    ['from before the log begins', (host: MachineHost<LogEvent>) => host.cutLog(2)],
  ])('a cursor %s is told, and the newest follow', async (_name, change) => {
    const { host, store } = open()
    const cursor = await cursorOf(store)
    await store.append('1')
    await store.append('2')
    change(host)
    const events = await take(store.follow({ cursor, tail: 1 }), 3)
    expect(lines(events)).toEqual(['lagged 0', '2', 'caught_up'])
    expect(events[0]?.cursor).toBeUndefined()
    expect(lines(await take(store.follow({ cursor: new Uint8Array(500) }), 2))).toEqual(['lagged 0', 'caught_up'])
  })

  test('one that lags is told how much, and goes on from what it heard last', async () => {
    const { store } = open(2)
    const events = store.follow()[Symbol.asyncIterator]()
    await events.next()
    await store.append('1')
    await events.next()
    for (let at = 2; at <= 6; at += 1) await store.append(`${at}`)
    const { value: lagged } = await events.next()
    if (lagged === undefined) throw new Error('it goes on')
    expect(line(lagged)).toBe('lagged 3')
    const again = await take(store.follow({ cursor: lagged.cursor ?? new Uint8Array() }), 6)
    expect(lines(again)).toEqual(['2', '3', '4', '5', '6', 'caught_up'])
  })

  test('catches up with any number of entries while others are appended', async () => {
    const { store } = open()
    const cursor = await cursorOf(store)
    const count = 3 * CATCH_UP_TURN_WRITES
    for (let at = 0; at < count; at += 1) await store.append(`${at}`)
    const seen = []
    for await (const event of store.follow({ cursor })) {
      seen.push(line(event))
      if (seen.length % 500 === 0) await store.append(`${count + seen.length / 500 - 1}`)
      if (event.kind === 'caught_up') break
    }
    expect(seen).toEqual([...Array.from({ length: count + 3 }, (_, at) => `${at}`), 'caught_up'])
  })

  test('that is left at any point follows no more', async () => {
    const { host, store } = open()
    const cursor = await cursorOf(store)
    await store.appendBatch(['1', '2'])
    for (const [options, most] of [
      [{ tail: 2 }, 3],
      [{ cursor }, 3],
    ] as const)
      for (let count = 1; count <= most; count += 1) {
        const events = store.follow(options)[Symbol.asyncIterator]()
        for (let told = 0; told < count; told += 1) await events.next()
        expect(host.subscribers()).toBe('cursor' in options && count < most ? 0 : 1)
        await events.return?.()
        expect(host.subscribers()).toBe(0)
      }
  })

  test('ends when its signal aborts', async () => {
    const { store } = open()
    const cursor = await cursorOf(store)
    await store.append('1')
    for (const options of [{}, { cursor }]) {
      const controller = createAbortController()
      const events = store.follow({ ...options, signal: controller.signal })
      controller.abort()
      expect(lines(await take(events, 2))).toEqual('cursor' in options ? [] : ['caught_up'])
    }
  })

  test('of an author that is none, or of too many, is refused', async () => {
    const { store } = open()
    const follow = (options: Parameters<Log['follow']>[0]) => async (): Promise<unknown> =>
      take(store.follow(options), 1)
    expect(await codeOf(follow({ author: new Uint8Array(3) as PublicKey }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(follow({ tail: MAX_TAIL + 1 }))).toBe('LIMIT_EXCEEDED')
  })

  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('append' as const), entries: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant('hear' as const), count: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ kind: fc.constant('leave' as const) }),
    ),
    { maxLength: 40 },
  )

  // Model: what was appended, in order. A follower keeps what it has not got yet, by id and place, and its last cursor.
  test('whoever comes back with its last cursor has heard everything once all is told, in order', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 4 }), async (script, capacity) => {
        const { store } = open(capacity)
        let cursor = await cursorOf(store)
        let appended = 0
        const heard: string[] = []
        let events: AsyncIterator<LogFollowEvent> | undefined
        const leave = async (): Promise<void> => {
          await events?.return?.()
          events = undefined
        }
        const hear = async (): Promise<string> => {
          events ??= store.follow({ cursor })[Symbol.asyncIterator]()
          const { value: event } = await events.next()
          if (event?.cursor === undefined) throw new Error('each event has a cursor here')
          cursor = event.cursor
          if (event.kind === 'entry' && !heard.includes(line(event))) heard.push(line(event))
          if (event.kind === 'lagged') await leave()
          return line(event)
        }
        const append = async (entries: number): Promise<void> => {
          await store.appendBatch(Array.from({ length: entries }, (_, at) => `${appended + at}`))
          appended += entries
        }
        for (const step of script) {
          if (step.kind === 'append') await append(step.entries)
          if (step.kind === 'leave') await leave()
          if (step.kind === 'hear') {
            await append(1)
            for (let count = 0; count < step.count && heard.length < appended; count += 1) await hear()
          }
        }
        await append(1)
        while ((await hear()) !== `${appended - 1}`);
        expect(heard).toEqual(Array.from({ length: appended }, (_, at) => `${at}`))
        await leave()
      }),
      { numRuns: 500 },
    )
  })
})
