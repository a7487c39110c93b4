import { type IdKey, idKey, MAX_DRIFT_MS } from '@lattice/model'
import { createManualClock, type ManualClock } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { createPeerClocks, type PeerClocks } from './peer-clocks.ts'

const NOW = 1_795_000_000_000
const YEAR_MS = 365 * 86_400_000

interface Setup {
  readonly clock: ManualClock
  readonly clocks: PeerClocks
  readonly verdicts: { aheadMs: number; skewed: boolean }[]
}

const peer = (index: number): IdKey => idKey(new Uint8Array(32).fill(index))

function withPeers(own: number, peers: readonly number[]): Setup {
  const clock = createManualClock({ wallMs: own })
  const verdicts: Setup['verdicts'] = []
  const clocks = createPeerClocks({ clock, onSkew: (verdict) => verdicts.push(verdict) })
  peers.forEach((wallMs, index) => clocks.observe(peer(index), wallMs))
  return { clock, clocks, verdicts }
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
    expect(withPeers(own, peers).clocks.medianMs()).toBe(median)
  })

  test('without peers there is no median, and a peer that is gone counts no more', () => {
    const { clocks } = withPeers(NOW, [NOW + 5])
    clocks.forget(peer(0))
    expect(clocks.medianMs()).toBeUndefined()
  })

  test('what peers said moves on with time, not with a change of the clock here', () => {
    const { clock, clocks } = withPeers(NOW, [NOW + 5])
    clock.advance(100)
    clock.setWallMs(0)
    expect(clocks.medianMs()).toBe(NOW + 105)
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
})
