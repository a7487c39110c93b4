import { LatticeError, toPublicKey, toStoreId } from '@lattice/model'
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
    world.advance(gapDelayMs)
    expect(world.starts).toEqual([gapDelayMs])
  })
})
