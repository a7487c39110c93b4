import { createAbortController, isLagged } from '@lattice/model'
import { createManualScheduler, createSeededRandom, type ManualScheduler } from '@lattice/model/testing'
import type { Discovery } from '@lattice/net-types'
import { type DiscoveryHarness, discoveryCompliance } from '@lattice/net-types/compliance'
import { describe, expect, test } from 'vitest'
import { createSimNetwork, type SimNetwork } from './index.ts'
import { keyOf, runInVirtualTime } from './testing/virtual-time.ts'

function create(seed = 0): { readonly scheduler: ManualScheduler; readonly network: SimNetwork } {
  const scheduler = createManualScheduler()
  const random = createSeededRandom(seed)
  return { scheduler, network: createSimNetwork({ random, scheduler, latencyMs: { min: 1, max: 20 } }) }
}

function harnessOf(spoil: (sound: Discovery) => Partial<Discovery> = () => ({}), seed = 0): DiscoveryHarness {
  const { scheduler, network } = create(seed)
  return {
    open: async (index) => {
      const sound = network.discoveryOf(keyOf(index))
      return { ...sound, ...spoil(sound) }
    },
    peer: keyOf,
    addresses: (index) => [`sim:${index}/1`, `sim:${index}/2`],
    during: (body) => runInVirtualTime(scheduler, body),
  }
}

describe('the simulated discovery', () => {
  for (const { name, run } of discoveryCompliance(harnessOf())) test(name, run)
})

/** What `seeker` tells, collected. */
function heardBy(seeker: Discovery): string[] {
  const heard: string[] = []
  const listen = async (): Promise<void> => {
    for await (const event of seeker.events(createAbortController().signal)) {
      if (!isLagged(event)) heard.push(event.kind)
    }
  }
  listen().catch((error: unknown) => heard.push(String(error)))
  return heard
}

describe('what a search meets on the simulated network', () => {
  test('a partition loses announcements, and the search finds the peer once it has healed', async () => {
    const { scheduler, network } = create()
    const [seeker, sought] = [network.discoveryOf(keyOf(0)), network.discoveryOf(keyOf(1))]
    const heard = heardBy(seeker)
    network.partition([[keyOf(0)], [keyOf(1)]])
    seeker.find(keyOf(1), createAbortController().signal)
    sought.announce(['sim:1'])
    await scheduler.advanceAsync(30_000)
    expect(heard).toEqual([])
    network.heal()
    await scheduler.advanceAsync(60_100)
    expect(heard).toContain('found')
  })

  test('a node that crashed says no goodbye and answers no more', async () => {
    const { scheduler, network } = create()
    const [seeker, sought] = [network.discoveryOf(keyOf(0)), network.discoveryOf(keyOf(1))]
    sought.announce(['sim:1'])
    await scheduler.advanceAsync(100)
    network.crash(keyOf(1))
    const heard = heardBy(seeker)
    seeker.find(keyOf(1), createAbortController().signal)
    await scheduler.advanceAsync(10_000)
    expect(heard).toEqual([])
  })

  test('a search that ended leaves no task behind', async () => {
    const { scheduler, network } = create()
    const search = createAbortController()
    network.discoveryOf(keyOf(0)).find(keyOf(1), search.signal)
    search.abort(new Error('enough'))
    await scheduler.advanceAsync(100)
    expect(scheduler.pending()).toBe(0)
  })
})

describe('the compliance cases notice', () => {
  const flawed: readonly (readonly [flaw: string, rule: string, (sound: Discovery) => Partial<Discovery>])[] = [
    [
      'an abort that is ignored',
      'no more once the search is aborted',
      ({ find }) => ({ find: (peer) => find(peer, createAbortController().signal) }),
    ],
    [
      'addresses that are made up',
      'no more addresses of a peer',
      ({ announce }) => ({ announce: () => announce(['x']) }),
    ],
    ['a close that does nothing', 'close is idempotent', () => ({ close: async () => undefined })],
    [
      'a stranger that is told of',
      'nobody looks for is not told of',
      ({ find }) => ({
        find: (peer, signal) => {
          find(keyOf(2), signal)
          find(peer, signal)
        },
      }),
    ],
  ]
  // Whether a stranger is heard of first is a matter of latency: its case is run with several.
  test.each(flawed)('%s', async (_, rule, spoil) => {
    const outcomes: string[] = []
    for (let seed = 0; seed < 8; seed += 1) {
      const found = discoveryCompliance(harnessOf(spoil, seed)).filter(({ name }) => name.includes(rule))
      expect(found).toHaveLength(1)
      for (const { run } of found) outcomes.push(await run().then(() => 'passed', messageOf))
    }
    expect(outcomes.filter((outcome) => outcome !== 'passed')).not.toEqual([])
    expect(outcomes.join()).not.toContain('one discovery at a time')
  })
})

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
