/**
 * What time the connected peers have, and whether this node's clock is out of line.
 *
 * Each peer's wall clock is kept as an offset to this node's monotonic one, so that a change of this node's own clock does
 * not change what its peers said. One peer cannot move the median of several: between the middle two of an even number,
 * this node's own clock decides.
 *
 * A clock that is known to be wrong has no say: a peer that knows so of its own says nothing, and one that is before any
 * time at which this software ran is not believed. So a board that boots in 1970 stops nobody's writes.
 *
 * @module
 */
import { type Clock, EARLIEST_CLOCK_MS, type IdKey, MAX_DRIFT_MS } from '@lattice/model'

export interface PeerClocks {
  /** What a peer says is the time; less than is possible when it does not know. */
  readonly observe: (peer: IdKey, wallMs: number) => void
  readonly forget: (peer: IdKey) => void
  /**
   * The median of the peers' wall clocks now; of an even number, what of the middle two's range is nearest to this node's
   * own clock. Undefined without peers.
   */
  readonly medianMs: () => number | undefined
  /** The median, and of how many. */
  readonly peerTime: () => { readonly medianMs: number; readonly count: number } | undefined
}

export interface PeerClocksOptions {
  readonly clock: Clock
  /** Told when the verdict changes: ahead of the median by more than half of what an intention may be. */
  readonly onSkew: (skew: { readonly aheadMs: number; readonly skewed: boolean }) => void
}

/** Starts without peers. */
export function createPeerClocks({ clock, onSkew }: PeerClocksOptions): PeerClocks {
  const offsets = new Map<IdKey, number>()
  let skewed = false

  function medianMs(): number | undefined {
    const sorted = [...offsets.values()].sort((a, b) => a - b)
    const middle = sorted.length >> 1
    const upper = sorted[middle]
    if (upper === undefined) return undefined
    const lower = sorted.length % 2 === 1 ? upper : (sorted[middle - 1] ?? upper)
    const own = clock.wallMs() - clock.monotonicMs()
    return Math.round(Math.min(upper, Math.max(lower, own)) + clock.monotonicMs())
  }
  function review(): void {
    const median = medianMs()
    // With nobody to differ from, it does not.
    const aheadMs = median === undefined ? 0 : clock.wallMs() - median
    const verdict = aheadMs > MAX_DRIFT_MS / 2
    if (verdict === skewed) return
    skewed = verdict
    onSkew({ aheadMs, skewed })
  }
  return {
    observe: (peer, wallMs) => {
      if (wallMs < EARLIEST_CLOCK_MS) offsets.delete(peer)
      else offsets.set(peer, wallMs - clock.monotonicMs())
      review()
    },
    forget: (peer) => {
      offsets.delete(peer)
      review()
    },
    medianMs,
    peerTime: () => {
      const median = medianMs()
      return median === undefined ? undefined : { medianMs: median, count: offsets.size }
    },
  }
}
