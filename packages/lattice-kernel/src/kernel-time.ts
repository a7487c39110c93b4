/**
 * The kernel's two readings of time: what admits foreign timestamps, and the hybrid clock of its own writes.
 *
 * `now` is never before this machine's clock, and later than it in two cases only.
 *
 * *By what is witnessed.* A wall time that was witnessed was at most `MAX_DRIFT_MS` ahead of the clock that let it in, so
 * it proves that the time is at least that wall less the drift. Since no wall is let in that is more than the drift ahead
 * of `now`, taking that for `now` never lets in more than was let in already: nobody can pull time ahead step by step.
 *
 * *By what peers report.* Two or more are believed in their median, which no single one of them moves beyond what
 * another says. One alone is believed where this machine's own clock is known to be wrong (it is before any time at which
 * this software ran, or before what is proven), for then nothing better is there: a board that boots in 1970 joins, and
 * goes on, with the one peer it has. A clock that may be right is never overruled by one peer, so a peer with a fast
 * clock cannot make it witness the future, which would drag its own timestamps along and cut it off from the others.
 *
 * What that leaves: a machine whose clock is some time behind, yet not behind what it has witnessed, and that has but one
 * peer, does not know which of the two is right. The peer's writes float until their time, and both show why.
 *
 * @module
 */
import { type Clock, createHlc, EARLIEST_CLOCK_MS, type Hlc, type HybridClock, MAX_DRIFT_MS } from '@lattice/model'
import { WriteRefused } from './errors.ts'
import type { PeerTime } from './kernel-options.ts'

export interface KernelTime {
  /** What rule 4 compares with. */
  readonly nowMs: () => number
  /** The machine's own wall reading, for witness records. */
  readonly wallMs: () => number
  /** True where the machine's clock is known to be wrong: it is behind what is proven. */
  readonly isBehind: () => boolean
  readonly tick: () => Hlc
  readonly observe: (remote: Hlc) => void
  readonly last: () => Hlc
  /** Takes the hybrid clock back to `last`: what it gave since was not committed. */
  readonly restore: (last: Hlc) => void
}

export interface KernelTimeDeps {
  readonly clock: Clock
  readonly last: Hlc
  /** The greatest wall time witnessed; 0 before the first. */
  readonly highestWall: () => number
  readonly peerTime: (() => PeerTime | undefined) | undefined
}

/** Peers whose median is believed against a clock that may be right: with two, each bounds the other. */
const PEERS_AGREEING = 2

export function createKernelTime({ clock, last, highestWall, peerTime }: KernelTimeDeps): KernelTime {
  const provenMs = (): number => Math.max(EARLIEST_CLOCK_MS, highestWall() - MAX_DRIFT_MS)
  const isBehind = (): boolean => clock.wallMs() < provenMs()

  function nowMs(): number {
    const own = Math.max(clock.wallMs(), highestWall() - MAX_DRIFT_MS)
    const peers = peerTime?.()
    const isBelieved = peers !== undefined && (peers.count >= PEERS_AGREEING || isBehind())
    return isBelieved ? Math.max(own, peers.medianMs) : own
  }

  const start = (from: Hlc): HybridClock =>
    createHlc({ clock: { wallMs: nowMs, monotonicMs: clock.monotonicMs }, last: from })
  let hlc = start(last)

  return {
    nowMs,
    wallMs: () => clock.wallMs(),
    isBehind,
    tick: () => hlc.tick(),
    observe: (remote) => hlc.observe(remote),
    last: () => hlc.last(),
    restore: (to) => {
      hlc = start(to)
    },
  }
}

/**
 * Throws `WriteRefused` where peers could not take yet what is written by this machine's clock. By the clock alone:
 * timestamps go on from their last value when the clock is set back, or are taken along by a peer whose writes are as far
 * ahead as they may be, and neither stops this node's writes.
 */
export function assertNotAhead(wallMs: number, peers: PeerTime | undefined): void {
  const aheadMs = peers === undefined ? 0 : wallMs - peers.medianMs
  if (aheadMs <= MAX_DRIFT_MS) return
  throw new WriteRefused('CLOCK_SKEW', "this machine's clock is ahead of its peers': set it right", {
    aheadMs,
    limitMs: MAX_DRIFT_MS,
  })
}
