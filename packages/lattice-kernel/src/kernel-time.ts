/**
 * The kernel's two readings of time: what admits foreign timestamps, and the hybrid clock of its own writes.
 *
 * A witnessed wall time was at most `MAX_DRIFT_MS` ahead of a clock that was right. When the machine's clock is further
 * behind than that, it is the clock that is wrong (a board that boots in 1970), and the highest witnessed wall stands in
 * for it. A clock that is right is never replaced, so no peer can pull time ahead step by step.
 *
 * @module
 */
import { type Clock, createHlc, type Hlc, type HybridClock, MAX_DRIFT_MS } from '@lattice/model'

export interface KernelTime {
  /** What rule 4 compares with. */
  readonly nowMs: () => number
  /** The machine's own wall reading, for witness records. */
  readonly wallMs: () => number
  readonly tick: () => Hlc
  readonly observe: (remote: Hlc) => void
  readonly last: () => Hlc
  /** Takes the hybrid clock back to `last`: what it gave since was not committed. */
  readonly restore: (last: Hlc) => void
}

export interface KernelTimeDeps {
  readonly clock: Clock
  readonly last: Hlc
  readonly highestWall: () => number
  readonly peerWallMs: (() => number | undefined) | undefined
}

export function createKernelTime({ clock, last, highestWall, peerWallMs }: KernelTimeDeps): KernelTime {
  function nowMs(): number {
    const own = Math.max(clock.wallMs(), peerWallMs?.() ?? 0)
    const witnessed = highestWall()
    return witnessed - own > MAX_DRIFT_MS ? witnessed : own
  }
  const start = (from: Hlc): HybridClock =>
    createHlc({ clock: { wallMs: nowMs, monotonicMs: clock.monotonicMs }, last: from })
  let hlc = start(last)

  return {
    nowMs,
    wallMs: () => clock.wallMs(),
    tick: () => hlc.tick(),
    observe: (remote) => hlc.observe(remote),
    last: () => hlc.last(),
    restore: (to) => {
      hlc = start(to)
    },
  }
}
