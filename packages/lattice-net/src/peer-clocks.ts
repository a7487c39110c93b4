/**
 * What time the connected peers have, and whether this node's clock is out of line.
 *
 * Who has a say is asked when the time is, not when a peer said it: who was let in meanwhile counts, and who was removed
 * does no more.
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
import { type Clock, EARLIEST_CLOCK_MS, type IdKey, idKey, MAX_DRIFT_MS, type PublicKey } from '@lattice/model'
import type { ClockVoices } from './clock-voices.ts'
import type { Circle } from './gossip.ts'

export interface PeerClocks extends Pick<ClockVoices, 'vouch'> {
  /** What a peer says is the time; less than is possible when it does not know. */
  readonly observe: (peer: PublicKey, wallMs: number) => void
  readonly forget: (peer: PublicKey) => void
  /** Of those that have a say; undefined without any. */
  readonly peerTime: () => PeerTime | undefined
  /** Who shares which stores, from data; replaces what was said before. */
  readonly circles: (circles: readonly Circle[]) => void
  /** Judges anew: who may use which store, or this node's clock, may be another than before. */
  readonly review: () => void
}

/** What peers say is the time. */
export interface PeerTime {
  /** The median of their wall clocks now; of an even number, what of the middle two's range is nearest to this node's own. */
  readonly medianMs: number
  /** How many say it. */
  readonly count: number
}

export interface PeerClocksOptions {
  readonly clock: Clock
  readonly voices: ClockVoices
  /** Told when the verdict changes: ahead of the median by more than half of what an intention may be. */
  readonly onSkew: (skew: { readonly aheadMs: number; readonly skewed: boolean }) => void
}

/** Starts without peers. Keeps what each connected peer said last, whoever it is. */
export function createPeerClocks({ clock, voices, onSkew }: PeerClocksOptions): PeerClocks {
  const said = new Map<IdKey, { readonly peer: PublicKey; readonly offsetMs: number }>()
  let skewed = false

  function peerTime(): PeerTime | undefined {
    const offsets = [...said].flatMap(([key, { peer, offsetMs }]) => (voices.has(peer, key) ? [offsetMs] : []))
    const sorted = offsets.sort((a, b) => a - b)
    const middle = sorted.length >> 1
    const upper = sorted[middle]
    if (upper === undefined) return undefined
    const lower = sorted.length % 2 === 1 ? upper : (sorted[middle - 1] ?? upper)
    const own = clock.wallMs() - clock.monotonicMs()
    const medianMs = Math.round(Math.min(upper, Math.max(lower, own)) + clock.monotonicMs())
    return { medianMs, count: sorted.length }
  }
  function judge(): void {
    const peers = peerTime()
    // With nobody to differ from, it does not.
    const aheadMs = peers === undefined ? 0 : clock.wallMs() - peers.medianMs
    const verdict = aheadMs > MAX_DRIFT_MS / 2
    if (verdict === skewed) return
    skewed = verdict
    onSkew({ aheadMs, skewed })
  }
  return {
    observe: (peer, wallMs) => {
      if (wallMs < EARLIEST_CLOCK_MS) said.delete(idKey(peer))
      else said.set(idKey(peer), { peer, offsetMs: wallMs - clock.monotonicMs() })
      judge()
    },
    forget: (peer) => {
      said.delete(idKey(peer))
      judge()
    },
    peerTime,
    vouch: voices.vouch,
    circles: (circles) => {
      voices.told(circles)
      judge()
    },
    review: () => {
      voices.changed()
      judge()
    },
  }
}
