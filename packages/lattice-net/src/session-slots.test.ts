import { toPublicKey, toStoreId } from '@lattice/model'
import { createManualScheduler, createSeededRandom } from '@lattice/model/testing'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { PeerRefused, SessionFailed } from './errors.ts'
import type { SyncOutcome } from './network-event.ts'
import { nothingToDo } from './reconcile.ts'
import { createSessionSlots } from './session-slots.ts'
import { createSyncScheduler } from './sync-scheduler.ts'

const small = toPublicKey(new Uint8Array(32).fill(1))
const large = toPublicKey(new Uint8Array(32).fill(9))
const store = toStoreId(new Uint8Array(32).fill(5))
const set = { witnessCount: 1, fingerprint: new Uint8Array(32) }
const done: SyncOutcome = { kind: 'done', peer: large, ...nothingToDo(store, set, set), durationMs: 1 }
const quiet = { onBegin: () => undefined, onEnd: () => undefined }

describe('session slots', () => {
  test('one session per peer and store at a time', async () => {
    const slots = createSessionSlots(small, quiet)
    const slot = slots.begin(large, store)
    expect(slots.begin(large, store)).toBeUndefined()
    expect(slots.countHere()).toBe(1)
    expect(slots.countHere(small)).toBe(0)
    slot?.end(done)
    expect(await slot?.outcome).toBe(done)
    expect(slots.begin(large, store)).toBeDefined()
  })

  test('of two that start at once, both sides keep the one of the smaller key', () => {
    const atSmall = createSessionSlots(small, quiet)
    const atLarge = createSessionSlots(large, quiet)
    const ours = atSmall.begin(large, store)
    const theirs = atLarge.begin(small, store)
    expect(atSmall.accept(large, store)).toBeUndefined()
    const accepted = atLarge.accept(small, store)
    expect(accepted?.started).toBe('there')
    // The displaced one ends without freeing the slot.
    theirs?.end(done)
    expect(atLarge.current(small, store)).toBe(accepted)
    expect(atSmall.current(large, store)).toBe(ours)
    expect(atLarge.accept(small, store)).toBeUndefined()
  })

  test('begin and end are told once per pair, also when a session is displaced', () => {
    const told: string[] = []
    const slots = createSessionSlots(large, { onBegin: () => told.push('begin'), onEnd: () => told.push('end') })
    const first = slots.begin(small, store)
    const second = slots.accept(small, store)
    first?.end(done)
    second?.end(done)
    second?.end(done)
    expect(told).toEqual(['begin', 'end'])
    expect(slots.ofStore(store)).toEqual([])
  })
})

describe('the schedule of sessions', () => {
  function create(limits = { sessions: 2, sessionsPerPeer: 1, retryMs: 1_000, retryMaxMs: 8_000 }) {
    const scheduler = createManualScheduler()
    const started: { peer: Uint8Array; atMs: number }[] = []
    const running = new Map<Uint8Array, number>()
    const schedule = createSyncScheduler({
      scheduler,
      random: createSeededRandom('schedule'),
      limits,
      running: (peer) =>
        peer === undefined ? [...running.values()].reduce((a, b) => a + b, 0) : (running.get(peer) ?? 0),
      isEqual: () => false,
      start: (peer) => {
        running.set(peer, (running.get(peer) ?? 0) + 1)
        started.push({ peer, atMs: scheduler.clock.monotonicMs() })
      },
    })
    const end = (outcome: SyncOutcome): void => {
      running.set(outcome.peer, (running.get(outcome.peer) ?? 1) - 1)
      schedule.ended(outcome)
    }
    return { schedule, scheduler, started, end }
  }

  test('requests for the same pair are one', () => {
    const { schedule, scheduler, started, end } = create()
    for (let index = 0; index < 5; index += 1) schedule.request(large, store, 100)
    scheduler.advance(1_000)
    expect(started).toEqual([{ peer: large, atMs: expect.any(Number) }])
    expect(started[0]?.atMs).toBeGreaterThanOrEqual(100)
    expect(started[0]?.atMs).toBeLessThan(150)
    end(done)
    expect(schedule.pending()).toBe(0)
  })

  test('bounds are kept, per peer and in all, and what waits starts when there is room', () => {
    const { schedule, scheduler, started, end } = create()
    const stores = [1, 2, 3].map((fill) => toStoreId(new Uint8Array(32).fill(fill)))
    for (const id of stores) schedule.request(large, id, 0)
    schedule.request(small, store, 0)
    scheduler.advance(10)
    expect(started.map(({ peer }) => peer)).toEqual([large, small])
    end({ ...done, ...nothingToDo(stores[0] ?? store, set, set) })
    expect(started).toHaveLength(3)
  })

  test('a difference that stays is looked into at growing intervals, and forgotten once it is gone', () => {
    const { schedule, scheduler, started, end } = create()
    schedule.request(large, store, 0)
    for (let round = 0; round < 8; round += 1) {
      scheduler.advance(8_000)
      expect(started).toHaveLength(round + 1)
      end({ ...done, synced: false })
    }
    const gaps = started.slice(1).map(({ atMs }, index) => atMs - (started[index]?.atMs ?? 0))
    expect(Math.max(...gaps)).toBeLessThanOrEqual(16_000)
    scheduler.advance(8_000)
    end(done)
    scheduler.advance(100_000)
    expect(started).toHaveLength(9)
    expect(scheduler.pending()).toBe(0)
  })

  test('a refusal for good is not repeated, a busy peer and a failure here are', () => {
    const failed = (error: PeerRefused | SessionFailed): SyncOutcome => ({
      kind: 'failed',
      peer: large,
      storeId: store,
      error,
    })
    const outcomes: [SyncOutcome, number][] = [
      [failed(new PeerRefused(net.RefusalCode.NO_SUCH_STORE, '')), 1],
      [failed(new PeerRefused(net.RefusalCode.BUSY, '')), 2],
      [failed(new SessionFailed('x')), 2],
    ]
    for (const [outcome, times] of outcomes) {
      const { schedule, scheduler, started, end } = create()
      schedule.request(large, store, 0)
      scheduler.advance(1)
      end(outcome)
      scheduler.advance(10_000)
      expect(started).toHaveLength(times)
    }
  })

  test('what is forgotten does not start, nor anything after the close', () => {
    const { schedule, scheduler, started } = create()
    schedule.request(large, store, 10)
    schedule.request(small, store, 10)
    schedule.forgetPeer(large)
    scheduler.advance(20)
    expect(started.map(({ peer }) => peer)).toEqual([small])
    schedule.request(large, store, 10)
    schedule.forgetStore(store)
    schedule.close()
    schedule.request(large, store, 10)
    scheduler.advance(100)
    expect(started).toHaveLength(1)
    expect(scheduler.pending()).toBe(0)
  })
})
