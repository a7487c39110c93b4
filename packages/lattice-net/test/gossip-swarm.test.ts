import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ACTIVE_VIEW } from '../src/limits.ts'
import { GossipSwarm, type SwarmOptions } from '../src/testing.ts'

const TICK_MS = 1_000

function create(nodes: number, options: Partial<SwarmOptions> = {}): GossipSwarm {
  return new GossipSwarm({
    seed: 'swarm',
    nodes,
    latencyMs: { min: 5, max: 60 },
    verifyMs: 5,
    tickMs: TICK_MS,
    silenceMs: 1_500,
    ...options,
  })
}
function ticks(swarm: GossipSwarm, count: number): void {
  swarm.run(count * TICK_MS)
}
/** Runs until all the living form one overlay; how many ticks that took. */
function untilConnected(swarm: GossipSwarm, patience: number): number {
  for (let tick = 0; tick < patience; tick += 1) {
    if (swarm.components().length === 1) return tick
    ticks(swarm, 1)
  }
  return expect.fail(`after ${patience} ticks there are parts of ${swarm.components().join(', ')} nodes`)
}
/** Views are symmetric, the tree stands on them, and no connection is kept for nothing. */
function expectSettled(swarm: GossipSwarm): void {
  const sorted = (list: readonly number[]): number[] => list.toSorted((a, b) => a - b)
  for (const number of swarm.living()) {
    const { active, eager, lazy, links } = swarm.view(number)
    for (const other of active) expect(swarm.view(other).active).toContain(number)
    expect(sorted([...eager, ...lazy])).toEqual(sorted(active))
    expect(sorted(links)).toEqual(expect.arrayContaining(sorted(active)))
  }
}

describe('a swarm', () => {
  test.each([2, 3, ACTIVE_VIEW + 1])('of %i nodes is connected all to all', (nodes) => {
    const swarm = create(nodes)
    swarm.startAll()
    ticks(swarm, 5)
    for (const number of swarm.living()) expect(swarm.view(number).active).toHaveLength(nodes - 1)
    expectSettled(swarm)
  })

  test('that starts at once becomes one overlay with symmetric views, and closes what it does not need', () => {
    // Without swaps, so that it comes to rest.
    const swarm = create(60, { mixTicks: 1_000_000 })
    swarm.startAll()
    ticks(swarm, 30)
    expect(swarm.components()).toEqual([60])
    expectSettled(swarm)
    const degrees = swarm.living().map((number) => swarm.view(number).active.length)
    expect(degrees.filter((degree) => degree === ACTIVE_VIEW).length).toBeGreaterThan(50)
    const spare = swarm.living().flatMap((number) => {
      const { active, links } = swarm.view(number)
      return links.filter((link) => !active.includes(link))
    })
    // One with a free place goes on asking, at times.
    expect(spare.length).toBeLessThanOrEqual(8)
  })

  test.each([8, 10, 14])('of %i nodes at rest makes hardly a connection', (nodes) => {
    const swarm = create(nodes)
    swarm.startAll()
    ticks(swarm, 9)
    const before = swarm.connections()
    ticks(swarm, 72)
    // With nobody left alone, and swaps as in a large circle, it is some two hundred.
    expect(swarm.connections() - before).toBeLessThanOrEqual(6 * nodes)
    expect(swarm.components()).toEqual([nodes])
  })

  test('delivers every broadcast to every node once, by a tree that costs no copies once it stands', () => {
    const swarm = create(60, { mixTicks: 1_000_000 })
    swarm.startAll()
    ticks(swarm, 20)
    for (let message = 0; message < 10; message += 1) {
      const payloadsBefore = swarm.counts().payloads
      const id = swarm.broadcast((message * 7) % 60)
      ticks(swarm, 4)
      // A node asserts that it takes nothing in twice.
      for (const number of swarm.living()) expect(swarm.taken(number, id)).toBeDefined()
      const copies = swarm.counts().payloads - payloadsBefore - 59
      if (message >= 5) expect(copies).toBeLessThanOrEqual(6)
    }
    expect(swarm.counts().reconciled).toBe(0)
  })

  test('goes on when most of its nodes crash at once, and brings the rest what went round meanwhile', () => {
    const swarm = create(60)
    swarm.startAll()
    ticks(swarm, 15)
    swarm.broadcast(0)
    ticks(swarm, 3)
    swarm.crash(Array.from({ length: 36 }, (_, index) => index + 20))
    const during = swarm.broadcast(3)
    untilConnected(swarm, 20)
    ticks(swarm, 5)
    const after = swarm.broadcast(58)
    ticks(swarm, 5)
    expect(swarm.living()).toHaveLength(24)
    for (const number of swarm.living()) {
      expect(swarm.taken(number, during)).toBeDefined()
      expect(swarm.taken(number, after)).toBeDefined()
    }
  })

  test('whose halves were apart for long becomes one again', () => {
    const swarm = create(24, { heartbeatMs: 2 * TICK_MS })
    swarm.startAll()
    ticks(swarm, 10)
    swarm.partition([Array.from({ length: 12 }, (_, index) => index)])
    ticks(swarm, 120)
    expect(swarm.components()).toEqual([12, 12])
    const [one, other] = [swarm.broadcast(0), swarm.broadcast(23)]
    ticks(swarm, 3)
    expect([swarm.taken(23, one), swarm.taken(0, other)]).toEqual([undefined, undefined])
    swarm.partition([])
    untilConnected(swarm, 120)
    ticks(swarm, 20)
    for (const number of swarm.living()) {
      expect(swarm.taken(number, one)).toBeDefined()
      expect(swarm.taken(number, other)).toBeDefined()
    }
  })

  test('takes back a node that was without neighbours, and one that begins anew', () => {
    const swarm = create(20)
    swarm.startAll()
    ticks(swarm, 10)
    swarm.partition([[7]])
    ticks(swarm, 5)
    expect(swarm.view(7).active).toEqual([])
    swarm.partition([])
    swarm.crash([3])
    // Sooner than its neighbours notice that it was gone.
    swarm.run(200)
    swarm.start(3)
    ticks(swarm, 15)
    expect(swarm.components()).toEqual([20])
    for (const number of [3, 7]) expect(swarm.view(number).active.length).toBeGreaterThanOrEqual(2)
    const id = swarm.broadcast(3)
    ticks(swarm, 4)
    for (const number of swarm.living()) expect(swarm.taken(number, id)).toBeDefined()
  })

  test('does the same with the same seed, and something else with another', () => {
    const run = (seed: string): number => {
      const swarm = create(20, { seed, loseOneIn: 20, reorder: true, heartbeatMs: 3_000 })
      swarm.startAll()
      ticks(swarm, 5)
      swarm.broadcast(1)
      swarm.crash([2, 3])
      ticks(swarm, 5)
      return swarm.trace
    }
    expect(run('a')).toBe(run('a'))
    expect(run('a')).not.toBe(run('b'))
  })

  test('is not kept from a message by whoever is first with a forged copy', () => {
    const swarm = create(12)
    swarm.startAll()
    ticks(swarm, 10)
    // Node 5 has a forged copy of what node 0 is about to write from each of its neighbours.
    for (const from of swarm.view(5).active) swarm.forge(from, 5)
    const id = swarm.broadcast(0)
    ticks(swarm, 5)
    for (const number of swarm.living()) expect(swarm.taken(number, id)).toBeDefined()
  })

  // Crashes, restarts, cuts and broadcasts in any order, on a network that loses and reorders; then quiet.
  test('heals from any churn: one overlay, and every node has everything that survived, once', () => {
    const nodes = 16
    const step = fc.oneof(
      fc.record({ kind: fc.constantFrom('crash', 'start', 'broadcast'), node: fc.nat({ max: nodes - 1 }) }),
      fc.record({ kind: fc.constantFrom('wait', 'cut', 'heal'), node: fc.nat({ max: nodes - 1 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.nat(), (steps, seed) => {
        const swarm = create(nodes, { seed, loseOneIn: 25, reorder: true, heartbeatMs: 2 * TICK_MS })
        swarm.startAll()
        ticks(swarm, 3)
        for (const { kind, node } of steps) {
          const lives = swarm.living().includes(node)
          if (kind === 'crash' && lives && swarm.living().length > 3) swarm.crash([node])
          if (kind === 'start' && !lives) swarm.start(node)
          if (kind === 'broadcast' && lives) swarm.broadcast(node)
          if (kind === 'cut') swarm.partition([Array.from({ length: 1 + (node % 8) }, (_, at) => (node + at) % nodes)])
          if (kind === 'heal') swarm.partition([])
          swarm.run(400)
        }
        swarm.partition([])
        untilConnected(swarm, 200)
        swarm.broadcast(swarm.living()[0] ?? 0)
        ticks(swarm, 40)
        untilConnected(swarm, 20)
        const broadcasts = steps.filter(({ kind }) => kind === 'broadcast').length
        const [first, ...others] = swarm.living().map((number) => swarm.held(number))
        // The last one, which everybody was there for, and what survived of those before.
        expect(first?.length).toBeGreaterThan(0)
        expect(first?.length).toBeLessThanOrEqual(broadcasts + 1)
        for (const ids of others) expect(ids).toEqual(first)
      }),
      { numRuns: 15 },
    )
  })
})
