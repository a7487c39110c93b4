import { idKey, type PublicKey, toPublicKey } from '@lattice/model'
import { createManualScheduler, createSeededRandom } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS } from './limits.ts'
import { createProber } from './prober.ts'

const { tickMs, probeEveryMs, probeRoundMs, probeBackoffMaxMs } = DEFAULT_LIMITS

function key(index: number): PublicKey {
  const bytes = new Uint8Array(32)
  bytes[0] = index & 0xff
  bytes[1] = index >> 8
  return toPublicKey(bytes)
}

interface World {
  readonly visits: { readonly peer: number; readonly atMs: number }[]
  readonly pass: (ms: number) => Promise<void>
  readonly hurry: () => void
  /** Most visits that were under way at once. */
  readonly most: () => number
}

interface WorldOptions {
  readonly peers: number
  readonly isThere?: (index: number) => boolean
  readonly isLookedAfter?: (index: number) => boolean
  readonly mutedForMs?: (index: number) => number
  readonly visitMs?: number
}

function create({ peers, isThere = () => true, visitMs = 10_000, ...given }: WorldOptions): World {
  const scheduler = createManualScheduler()
  const nowMs = scheduler.clock.monotonicMs
  const heard = new Map<string, number>()
  const visits: { readonly peer: number; readonly atMs: number }[] = []
  const indexOf = (peer: PublicKey): number => (peer[0] ?? 0) + (peer[1] ?? 0) * 256
  const keys = Array.from({ length: peers }, (_, index) => key(index))
  let under = 0
  let most = 0
  const prober = createProber({
    peers: () => keys,
    isLookedAfter: (peer) => given.isLookedAfter?.(indexOf(peer)) ?? false,
    mutedForMs: (peer) => given.mutedForMs?.(indexOf(peer)) ?? 0,
    quietForMs: (peer) => {
      const at = heard.get(idKey(peer))
      return at === undefined ? undefined : nowMs() - at
    },
    visit: async (peer) => {
      under += 1
      most = Math.max(most, under)
      visits.push({ peer: indexOf(peer), atMs: nowMs() })
      await new Promise<void>((resolve) => void scheduler.after(visitMs, resolve))
      under -= 1
      if (isThere(indexOf(peer))) heard.set(idKey(peer), nowMs())
      else heard.delete(idKey(peer))
      return isThere(indexOf(peer))
    },
    nowMs,
    random: createSeededRandom('visits'),
    limits: DEFAULT_LIMITS,
    spawn: (_, task) => void task().catch(() => undefined),
  })
  return {
    visits,
    most: () => most,
    hurry: () => prober.hurry(),
    pass: async (ms) => {
      for (let passed = 0; passed < ms; passed += tickMs) {
        await scheduler.advanceAsync(tickMs)
        prober.review()
      }
    },
  }
}

describe('visits', () => {
  test('reach every silent peer in turn, one at a time, no faster than their pace', async () => {
    const world = create({ peers: 30, visitMs: 100 })
    await world.pass(probeRoundMs + 60_000)
    expect(new Set(world.visits.map(({ peer }) => peer)).size).toBe(30)
    expect(world.most()).toBe(1)
    const gaps = world.visits.slice(1).map(({ atMs }, index) => atMs - (world.visits[index]?.atMs ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(probeEveryMs)
    // Nobody twice before the others had their turn.
    expect(new Set(world.visits.slice(0, 30).map(({ peer }) => peer)).size).toBe(30)
  })

  test('come less and less often to a peer that is not there, and do not keep the others waiting', async () => {
    const world = create({ peers: 5, isThere: (index) => index !== 3 })
    await world.pass(24 * 3_600_000)
    const at = world.visits.filter(({ peer }) => peer === 3).map(({ atMs }) => atMs)
    const gaps = at.slice(1).map((atMs, index) => atMs - (at[index] ?? 0))
    expect(gaps.at(-1)).toBeGreaterThan(probeBackoffMaxMs / 2)
    expect(Math.max(...gaps)).toBeLessThan(probeBackoffMaxMs + 60_000)
    const others = world.visits.filter(({ peer }) => peer === 0)
    expect(others.length).toBeGreaterThan((24 * 3_600_000) / (2 * probeRoundMs))
  })

  test('300 peers that are not there cost one dial at a time', async () => {
    const world = create({ peers: 300, isThere: () => false })
    await world.pass(3_600_000)
    expect(world.most()).toBe(1)
    expect(world.visits.length).toBeLessThanOrEqual(3_600_000 / 10_000)
    expect(new Set(world.visits.map(({ peer }) => peer)).size).toBeGreaterThan(100)
  })

  test('leave out who is connected, dialled in any case, or shut out', async () => {
    const world = create({
      peers: 6,
      isLookedAfter: (index) => index < 2,
      mutedForMs: (index) => (index === 2 ? 1_000 : 0),
    })
    await world.pass(probeRoundMs)
    expect(new Set(world.visits.map(({ peer }) => peer))).toEqual(new Set([3, 4, 5]))
  })

  test('start over when what kept peers from being reached may be gone', async () => {
    const world = create({ peers: 2, isThere: () => false })
    await world.pass(6 * 3_600_000)
    const before = world.visits.length
    world.hurry()
    await world.pass(60_000)
    expect(new Set(world.visits.slice(before).map(({ peer }) => peer)).size).toBe(2)
  })
})
