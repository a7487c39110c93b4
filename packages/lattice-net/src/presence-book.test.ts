import { type PublicKey, toPublicKey } from '@lattice/model'
import { createManualClock } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS, MAX_KNOWN_PEERS, STABLE_CONNECTION_MS } from './limits.ts'
import { createPresenceBook } from './presence-book.ts'

const { presenceMs, awayPresenceMs } = DEFAULT_LIMITS
const DAY_MS = 86_400_000

function key(index: number): PublicKey {
  const bytes = new Uint8Array(32)
  bytes[0] = index & 0xff
  bytes[1] = index >> 8
  return toPublicKey(bytes)
}
const peer = key(1)

function create() {
  const clock = createManualClock()
  const told: string[] = []
  let heardMs: number | undefined
  const book = createPresenceBook({
    clock,
    limits: DEFAULT_LIMITS,
    heardMs: () => heardMs,
    onChange: ({ online }) => told.push(online ? 'online' : 'offline'),
  })
  const hear = (): void => {
    heardMs = clock.monotonicMs()
  }
  const down = (released: boolean, lastedMs = STABLE_CONNECTION_MS): void => {
    book.down(peer, { heardMs: heardMs ?? clock.monotonicMs(), lastedMs, released })
  }
  return { book, clock, told, hear, down }
}

describe('presence', () => {
  test('a connected peer is online while it is heard of', () => {
    const { book, clock, told, hear } = create()
    book.up(peer, true)
    for (let round = 0; round < 10; round += 1) {
      clock.advance(presenceMs - 1)
      hear()
      book.review()
    }
    expect(told).toEqual(['online'])
    const seenMs = clock.wallMs()
    clock.advance(presenceMs)
    book.review()
    expect(told).toEqual(['online', 'offline'])
    expect(book.presence(peer)).toMatchObject({ online: false, connected: true, lastSeenMs: seenMs })
    hear()
    book.review()
    expect(told).toEqual(['online', 'offline', 'online'])
  })

  test('one whose connection is lost is offline at once, one that is let go ages out', () => {
    const { book, clock, told, down } = create()
    book.up(peer, false)
    down(false)
    expect(told).toEqual(['online', 'offline'])
    expect(book.quietForMs(peer)).toBeUndefined()

    book.up(peer, false)
    down(true)
    clock.advance(awayPresenceMs - 1)
    book.review()
    expect(book.presence(peer)).toMatchObject({ online: true, connected: false })
    clock.advance(1)
    book.review()
    expect(told).toEqual(['online', 'offline', 'online', 'offline'])
  })

  test('one that does not answer a visit is offline at once', () => {
    const { book, told, down } = create()
    book.up(peer, true)
    down(true)
    book.missed(peer)
    expect(told).toEqual(['online', 'offline'])
    // Nothing is made up of one that was never seen.
    book.missed(key(9))
    expect(book.presence(key(9))).toBeUndefined()
  })

  test.each([-5 * 365 * DAY_MS, -DAY_MS, DAY_MS, 5 * 365 * DAY_MS])(
    'a wall clock that is set by %d ms ages nobody and makes nobody young',
    (byMs) => {
      const { book, clock, told, hear, down } = create()
      book.up(peer, true)
      clock.setWallMs(clock.wallMs() + byMs)
      if (byMs < 0) book.setBack(-byMs)
      book.review()
      expect(told).toEqual(['online'])
      clock.advance(1_000)
      hear()
      book.review()
      expect(book.presence(peer)).toMatchObject({ online: true, lastSeenMs: clock.wallMs() })
      down(true)
      clock.setWallMs(clock.wallMs() - byMs)
      if (byMs > 0) book.setBack(byMs)
      expect(book.presence(peer)?.lastSeenMs).toBeLessThanOrEqual(clock.wallMs())
      clock.advance(awayPresenceMs)
      book.review()
      expect(told).toEqual(['online', 'offline'])
    },
  )

  test('last seen is never beyond now, also where nobody said that the clock was set back', () => {
    const { book, clock } = create()
    book.up(peer, true)
    clock.setWallMs(clock.wallMs() - DAY_MS)
    expect(book.presence(peer)?.lastSeenMs).toBe(clock.wallMs())
  })

  test('a peer that comes and goes is told a few times, then once it stays', () => {
    const { book, clock, told, down } = create()
    for (let round = 0; round < 1_000; round += 1) {
      book.up(peer, false)
      clock.advance(500)
      book.review()
      down(false, 500)
    }
    expect(told).toHaveLength(6)
    book.up(peer, false)
    // What is shown is what is so.
    expect(book.presence(peer)?.online).toBe(true)
    clock.advance(STABLE_CONNECTION_MS - 1)
    book.review()
    expect(told).toHaveLength(6)
    clock.advance(1)
    book.review()
    expect(told.slice(6)).toEqual(['online'])
    down(false)
    book.up(peer, false)
    expect(told.slice(6)).toEqual(['online', 'offline', 'online'])
  })

  test('times for people are whole milliseconds, however fine the monotonic clock', () => {
    const { wallMs, monotonicMs } = createManualClock()
    const fine = createPresenceBook({
      clock: { wallMs, monotonicMs: () => monotonicMs() + 0.123_456 },
      limits: DEFAULT_LIMITS,
      heardMs: () => 999.876_543,
      onChange: () => undefined,
    })
    fine.up(peer, true)
    fine.down(peer, { heardMs: 1_000.987, lastedMs: 1, released: true })
    fine.setBack(0.5)
    const shown = fine.presence(peer)
    expect(Number.isSafeInteger(shown?.lastSeenMs)).toBe(true)
    expect(Number.isSafeInteger(shown?.sinceMs)).toBe(true)
  })

  test('a bounded number of peers is remembered, and never one forgotten that is connected', () => {
    const { book } = create()
    book.up(key(0), true)
    for (let index = 1; index < MAX_KNOWN_PEERS + 100; index += 1) {
      book.up(key(index), false)
      book.down(key(index), { heardMs: 0, lastedMs: 0, released: false })
    }
    expect(book.presence(key(0))?.online).toBe(true)
    expect(book.presence(key(1))).toBeUndefined()
    expect(book.presence(key(MAX_KNOWN_PEERS + 50))).toBeDefined()
  })
})
