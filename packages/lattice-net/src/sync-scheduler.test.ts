import { LatticeError, type PublicKey, type StoreId, toPublicKey, toStoreId } from '@lattice/model'
import { createManualScheduler, createSeededRandom } from '@lattice/model/testing'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { PeerRefused } from './errors.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import type { SyncOutcome } from './network-event.ts'
import { nothingToDo } from './reconcile.ts'
import { createSyncScheduler, type SyncScheduler } from './sync-scheduler.ts'

class DiskFullHere extends LatticeError {
  readonly code = 'DISK_FULL'
  constructor() {
    super('the disk is full')
  }
}

const peer = toPublicKey(new Uint8Array(32).fill(1))
const store = toStoreId(new Uint8Array(32).fill(2))
const set = { witnessCount: 1, fingerprint: new Uint8Array(32) }
const { retryMs, retryMaxMs, gapDelayMs } = DEFAULT_LIMITS

interface World {
  readonly schedule: SyncScheduler
  readonly starts: number[]
  readonly advance: (ms: number) => void
  readonly end: (changes: { readonly synced: boolean; readonly witnessed?: number }) => void
}

function create(): World {
  const scheduler = createManualScheduler()
  const starts: number[] = []
  const schedule = createSyncScheduler({
    scheduler,
    random: createSeededRandom('retries'),
    limits: DEFAULT_LIMITS,
    running: () => 0,
    isEqual: () => false,
    start: () => starts.push(scheduler.clock.monotonicMs()),
  })
  const end: World['end'] = (changes) => {
    const outcome: SyncOutcome = { kind: 'done', peer, ...nothingToDo(store, set, set), durationMs: 1, ...changes }
    schedule.ended(outcome)
  }
  return { schedule, starts, advance: scheduler.advance, end }
}

/** Lets sessions end in difference until pauses are as long as they get. */
function exhaust({ starts, advance, end }: World): void {
  for (let round = 0; round < 12; round += 1) {
    const before = starts.length
    end({ synced: false })
    advance(retryMaxMs)
    expect(starts).toHaveLength(before + 1)
  }
  end({ synced: false })
}

describe('repeated sessions', () => {
  test('come at growing intervals while nothing changes, and end with equal digests', () => {
    const world = create()
    exhaust(world)
    world.advance(retryMaxMs / 2 - 1)
    const { length } = world.starts
    world.advance(retryMaxMs)
    expect(world.starts).toHaveLength(length + 1)
    world.end({ synced: true })
    world.advance(10 * retryMaxMs)
    expect(world.starts).toHaveLength(length + 1)
    expect(world.schedule.pending()).toBe(0)
  })

  test('come soon again after one that brought something', () => {
    const world = create()
    exhaust(world)
    world.advance(retryMaxMs)
    const { length } = world.starts
    world.end({ synced: false, witnessed: 3 })
    world.advance(retryMs)
    expect(world.starts).toHaveLength(length + 1)
  })

  test('do not keep something new that is lacking waiting, and hurry once for each pause', () => {
    const world = create()
    exhaust(world)
    const { length } = world.starts
    world.schedule.request(peer, store, gapDelayMs)
    world.advance(retryMs)
    expect(world.starts).toHaveLength(length)
    world.schedule.hurry(peer, store, gapDelayMs)
    world.advance(retryMs - 1)
    world.schedule.hurry(peer, store, gapDelayMs)
    expect(world.starts).toHaveLength(length)
    world.advance(1)
    expect(world.starts).toHaveLength(length + 1)
  })

  test.each([
    ['a disk that is full here', new DiskFullHere(), true],
    ['a disk that is full at the peer', new PeerRefused(net.RefusalCode.INTERNAL, 'no room'), true],
    ['a peer that is not ready', new PeerRefused(net.RefusalCode.NOT_READY, 'wait'), true],
    ['a store that the peer does not have', new PeerRefused(net.RefusalCode.NO_SUCH_STORE, 'no such store'), false],
    ['a peer that was shut out', new PeerRefused(net.RefusalCode.REVOKED, 'revoked'), false],
  ])('after %s come by themselves where it may pass', (_, error, isRepeated) => {
    const { schedule, starts, advance } = create()
    schedule.ended({ kind: 'failed', peer, storeId: store, error })
    advance(retryMs)
    expect(starts).toHaveLength(isRepeated ? 1 : 0)
  })

  test('without a pause under way, a gap is healed as soon as what is in flight had time to arrive', () => {
    const world = create()
    world.schedule.hurry(peer, store, gapDelayMs)
    world.schedule.hurry(peer, store, gapDelayMs)
    world.advance(gapDelayMs - 1)
    expect(world.starts).toEqual([])
    world.advance(1 + gapDelayMs / 2)
    expect(world.starts).toHaveLength(1)
  })
})

describe('many sessions', () => {
  const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)

  /** A schedule whose sessions each take one tick. What is busy is asked for again as soon as it ends. */
  function createMany({
    busy,
    equal = () => false,
  }: {
    readonly busy: (peer: number, store: number) => boolean
    readonly equal?: () => boolean
  }) {
    const scheduler = createManualScheduler()
    const running: { peer: PublicKey; storeId: StoreId }[] = []
    const starts: { readonly peer: number; readonly store: number }[] = []
    let most = 0
    const schedule = createSyncScheduler({
      scheduler,
      random: createSeededRandom('many'),
      limits: { ...DEFAULT_LIMITS, sessions: 4, sessionsPerPeer: 2 },
      running: (one) => running.filter((each) => one === undefined || each.peer === one).length,
      isEqual: equal,
      start: (one, storeId) => {
        running.push({ peer: one, storeId })
        most = Math.max(most, running.length)
        starts.push({ peer: one[0] ?? 0, store: storeId[0] ?? 0 })
      },
    })
    const tick = (): void => {
      for (const each of running.splice(0)) {
        schedule.ended({ kind: 'done', peer: each.peer, ...nothingToDo(each.storeId, set, set), durationMs: 1 })
        if (busy(each.peer[0] ?? 0, each.storeId[0] ?? 0)) schedule.request(each.peer, each.storeId, 0)
      }
      scheduler.advance(1)
    }
    return { schedule, starts, tick, most: () => most }
  }

  test('a store that always has something to exchange starves none, nor does a peer', () => {
    const { schedule, starts, tick, most } = createMany({ busy: (of, store) => of < 3 || store < 3 })
    const peers = [1, 2, 3].map((fill) => toPublicKey(key(fill)))
    const stores = Array.from({ length: 20 }, (_, index) => toStoreId(key(index + 1)))
    for (const one of peers) for (const storeId of stores) schedule.request(one, storeId, 0)
    // Two of the three peers are busy with everything, and take all the room there is if they are let.
    for (let round = 0; round < 30; round += 1) tick()
    for (const one of peers) {
      const served = new Set(starts.filter((each) => each.peer === one[0]).map((each) => each.store))
      expect(served.size).toBe(20)
    }
    expect(most()).toBe(4)
  })

  test('requests of one moment are spread by chance', () => {
    const scheduler = createManualScheduler()
    const at: number[] = []
    const schedule = createSyncScheduler({
      scheduler,
      random: createSeededRandom('spread'),
      limits: { ...DEFAULT_LIMITS, sessions: 100, sessionsPerPeer: 100 },
      running: () => 0,
      isEqual: () => false,
      start: () => at.push(scheduler.clock.monotonicMs()),
    })
    for (let fill = 1; fill <= 40; fill += 1) schedule.request(peer, toStoreId(key(fill)), 1_000)
    scheduler.advance(1_500)
    expect(at).toHaveLength(40)
    expect(new Set(at).size).toBeGreaterThan(25)
    expect(Math.min(...at)).toBeGreaterThanOrEqual(1_000)
  })

  test('what has become equal is not started, unless something is known to be lacking', () => {
    const { schedule, starts, tick } = createMany({ busy: () => false, equal: () => true })
    schedule.request(peer, store, 0)
    tick()
    expect(starts).toEqual([])
    expect(schedule.pending()).toBe(0)
    schedule.hurry(peer, store, 0)
    tick()
    expect(starts).toHaveLength(1)
  })
})
