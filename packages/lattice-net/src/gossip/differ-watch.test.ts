import { toPublicKey, toStoreId } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../limits.ts'
import type { ClaimedDigest } from '../session-call.ts'
import { createDifferWatch, type DifferWatch } from './differ-watch.ts'

const peer = toPublicKey(new Uint8Array(32).fill(1))
const storeId = toStoreId(new Uint8Array(32).fill(2))
const digest = (count: number): ClaimedDigest => ({ witnessCount: count, fingerprint: new Uint8Array(32).fill(count) })
const { differDelayMs, differMaxMs, heartbeatDelayMs } = DEFAULT_LIMITS

interface World {
  readonly watch: DifferWatch
  readonly digests: { ours: ClaimedDigest | undefined; theirs: ClaimedDigest | undefined }
  readonly advance: (ms: number) => void
  /** Times at which a session was asked for. */
  readonly asked: readonly number[]
  readonly pending: () => number
}

function create(): World {
  const scheduler = createManualScheduler()
  const digests: World['digests'] = { ours: digest(1), theirs: digest(2) }
  const asked: number[] = []
  const watch = createDifferWatch({
    scheduler,
    nowMs: scheduler.clock.monotonicMs,
    limits: DEFAULT_LIMITS,
    ours: () => digests.ours,
    theirs: () => digests.theirs,
    onDiffers: () => asked.push(scheduler.clock.monotonicMs()),
  })
  return { watch, digests, advance: scheduler.advance, asked, pending: scheduler.pending }
}

describe('a watch for replicas that differ', () => {
  test('asks once for a session when a difference lasts', () => {
    const { watch, advance, asked, pending } = create()
    watch.claimed(peer, storeId)
    advance(differDelayMs - 1)
    expect(asked).toEqual([])
    advance(60_000)
    expect(asked).toEqual([differDelayMs])
    expect(pending()).toBe(0)
  })

  test.each(['the peer says so', 'this side catches up'])('does not when it passes: %s', (how) => {
    const { watch, digests, advance, asked } = create()
    watch.claimed(peer, storeId)
    advance(differDelayMs / 2)
    digests.ours = digest(3)
    digests.theirs = digest(3)
    if (how === 'the peer says so') watch.claimed(peer, storeId)
    advance(60_000)
    expect(asked).toEqual([])
  })

  test('waits while either side changes, and not for ever', () => {
    const { watch, advance, asked } = create()
    for (let ms = 0; ms < 60_000; ms += heartbeatDelayMs) {
      if (ms % 2_000 === 0) watch.claimed(peer, storeId)
      else watch.changed(storeId)
      advance(heartbeatDelayMs)
    }
    expect(asked[0]).toBeGreaterThanOrEqual(differMaxMs)
    expect(asked.length).toBeGreaterThanOrEqual(3)
    expect(asked.length).toBeLessThanOrEqual(60_000 / differMaxMs)
  })

  test('asks as soon as both are quiet', () => {
    const { watch, advance, asked } = create()
    watch.claimed(peer, storeId)
    advance(differDelayMs - 500)
    watch.changed(storeId)
    advance(60_000)
    expect(asked).toHaveLength(1)
    expect(asked[0]).toBeLessThanOrEqual(differDelayMs + 3 * heartbeatDelayMs)
  })

  test.each<[string, (world: World) => void]>([
    ['the peer goes', ({ watch }) => watch.forgetPeer(peer)],
    ['the store goes', ({ watch }) => watch.forgetStore(storeId)],
    ['the store is not shared any more', ({ digests }) => (digests.ours = undefined)],
    ['the network closes', ({ watch }) => watch.close()],
  ])('asks nothing once %s', (_, end) => {
    const world = create()
    world.watch.claimed(peer, storeId)
    end(world)
    world.advance(60_000)
    expect(world.asked).toEqual([])
    expect(world.pending()).toBe(0)
  })
})
