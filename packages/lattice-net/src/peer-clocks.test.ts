import { MAX_DRIFT_MS, type PublicKey, toPublicKey } from '@lattice/model'
import { createManualClock, type ManualClock } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { createClockVoices } from './clock-voices.ts'
import { createPeerClocks, type PeerClocks } from './peer-clocks.ts'

const NOW = 1_795_000_000_000
const YEAR_MS = 365 * 86_400_000

interface Setup {
  readonly clock: ManualClock
  readonly clocks: PeerClocks
  readonly verdicts: { aheadMs: number; skewed: boolean }[]
  /** Who shares a store: all that were named at first. */
  readonly sharing: Set<PublicKey>
}

const KEYS = Array.from({ length: 8 }, (_, index) => toPublicKey(new Uint8Array(32).fill(index)))
function peer(index: number): PublicKey {
  const key = KEYS[index]
  if (key === undefined) throw new Error('there are so many')
  return key
}

function withPeers(own: number, peers: readonly number[]): Setup {
  const clock = createManualClock({ wallMs: own })
  const verdicts: Setup['verdicts'] = []
  const sharing = new Set(peers.map((_, index) => peer(index)))
  const voices = createClockVoices({ sharesWith: (key) => sharing.has(key), resolve: () => undefined })
  const clocks = createPeerClocks({ clock, voices, onSkew: (verdict) => verdicts.push(verdict) })
  peers.forEach((wallMs, index) => clocks.observe(peer(index), wallMs))
  return { clock, clocks, verdicts, sharing }
}

describe('the clocks of peers', () => {
  test.each<[string, number, readonly number[], number]>([
    ['one peer', NOW, [NOW + 5], NOW + 5],
    ['three peers, one far ahead', NOW, [NOW + 1, NOW + YEAR_MS, NOW + 3], NOW + 3],
    ['two peers, one far ahead: this node decides between them', NOW, [NOW + 1, NOW + YEAR_MS], NOW + 1],
    ['two peers, one far behind', NOW, [NOW - YEAR_MS, NOW + 1], NOW],
    ['two peers that agree against this node, which is behind', NOW - YEAR_MS, [NOW, NOW + 2], NOW],
    ['two peers that agree against this node, which is ahead', NOW + YEAR_MS, [NOW, NOW + 2], NOW + 2],
  ])('%s', (_, own, peers, median) => {
    expect(withPeers(own, peers).clocks.peerTime()?.medianMs).toBe(median)
  })

  test('without peers there is no median, and a peer that is gone counts no more', () => {
    const { clocks } = withPeers(NOW, [NOW + 5])
    clocks.forget(peer(0))
    expect(clocks.peerTime()?.medianMs).toBeUndefined()
  })

  test('what peers said moves on with time, not with a change of the clock here', () => {
    const { clock, clocks } = withPeers(NOW, [NOW + 5])
    clock.advance(100)
    clock.setWallMs(0)
    expect(clocks.peerTime()?.medianMs).toBe(NOW + 105)
  })

  test('a verdict is told when it changes', () => {
    const { clocks, verdicts } = withPeers(NOW + MAX_DRIFT_MS, [NOW])
    expect(verdicts).toEqual([{ aheadMs: MAX_DRIFT_MS, skewed: true }])
    clocks.observe(peer(0), NOW)
    clocks.observe(peer(0), NOW + MAX_DRIFT_MS)
    expect(verdicts).toEqual([
      { aheadMs: MAX_DRIFT_MS, skewed: true },
      { aheadMs: 0, skewed: false },
    ])
  })

  test('a clock that is known to be wrong has no say, and a peer that learned so takes back what it said', () => {
    const { clocks, verdicts } = withPeers(NOW, [0, 1000])
    expect([clocks.peerTime(), verdicts]).toEqual([undefined, []])
    clocks.observe(peer(0), NOW - MAX_DRIFT_MS)
    expect(clocks.peerTime()).toEqual({ medianMs: NOW - MAX_DRIFT_MS, count: 1 })
    clocks.observe(peer(0), 0)
    expect(clocks.peerTime()).toBeUndefined()
    expect(verdicts.map(({ skewed }) => skewed)).toEqual([true, false])
  })

  test('one peer in the past does not make a node that is right take itself for wrong', () => {
    expect(withPeers(NOW, [NOW, NOW - YEAR_MS]).verdicts).toEqual([])
  })

  test('one liar does not move the median of three, and between two of them the clock here decides', () => {
    const { clock, clocks } = withPeers(NOW, [NOW, NOW + 10, 2 ** 47])
    clock.advance(100)
    expect(clocks.peerTime()).toEqual({ medianMs: NOW + 110, count: 3 })
    clocks.forget(peer(2))
    expect(clocks.peerTime()).toEqual({ medianMs: NOW + 100, count: 2 })
  })
})

describe('a stranger', () => {
  test.each<[string, number]>([
    ['early', NOW - YEAR_MS],
    ['late', NOW + 75 * YEAR_MS],
  ])('is not heard, nor are many that agree: %s', (_, wallMs) => {
    const { clocks, verdicts } = withPeers(NOW, [])
    for (let index = 0; index < 5; index += 1) clocks.observe(peer(index), wallMs)
    expect([clocks.peerTime(), verdicts]).toEqual([undefined, []])
  })

  test('does not outvote those that have a say', () => {
    const { clocks, verdicts } = withPeers(NOW, [NOW + 5])
    for (let index = 1; index < 5; index += 1) clocks.observe(peer(index), NOW - YEAR_MS)
    expect([clocks.peerTime(), verdicts]).toEqual([{ medianMs: NOW + 5, count: 1 }, []])
  })

  test('is heard by what it said before once it is let in, and no more once it is removed', () => {
    const { clock, clocks, sharing, verdicts } = withPeers(NOW, [])
    clocks.observe(peer(0), NOW - MAX_DRIFT_MS)
    sharing.add(peer(0))
    clocks.review()
    clock.advance(10)
    expect(clocks.peerTime()).toEqual({ medianMs: NOW - MAX_DRIFT_MS + 10, count: 1 })
    sharing.delete(peer(0))
    clocks.review()
    expect(clocks.peerTime()).toBeUndefined()
    expect(verdicts).toEqual([
      { aheadMs: MAX_DRIFT_MS, skewed: true },
      { aheadMs: 0, skewed: false },
    ])
  })
})

describe('the verdict', () => {
  test('is another once the clock here was set, without a word of the peers', () => {
    const { clock, clocks, verdicts } = withPeers(NOW, [NOW, NOW])
    clock.setWallMs(NOW + YEAR_MS)
    expect(verdicts).toEqual([])
    clocks.review()
    clocks.review()
    expect(verdicts).toEqual([{ aheadMs: YEAR_MS, skewed: true }])
  })
})

test('who is vouched for has a say until the work is over, however it ends', async () => {
  const { clocks } = withPeers(NOW, [])
  clocks.observe(peer(0), NOW + 5)
  const work = async (): Promise<never> => {
    expect(clocks.peerTime()).toEqual({ medianMs: NOW + 5, count: 1 })
    throw new Error('it fails')
  }
  await expect(clocks.vouch([peer(0)], work)).rejects.toThrow('it fails')
  expect(clocks.peerTime()).toBeUndefined()
})
