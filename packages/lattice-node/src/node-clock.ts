/**
 * What this node knows of its own clock.
 *
 * Ahead of its peers it would make writes that they cannot take yet. Behind what it has witnessed it is wrong beyond
 * doubt; it then goes by what its peers say, and says nothing itself, so that nobody takes its word for the time.
 *
 * @module
 */
import { type Clock, EARLIEST_CLOCK_MS, MAX_DRIFT_MS } from '@lattice/model'
import type { NetworkService } from '@lattice/net'
import type { NodeEventBody } from './node-events.ts'
import type { ClockStatus } from './node-types.ts'

export interface NodeClock {
  readonly status: () => ClockStatus
  /** What peers are told is the time; 0 for what is not known. */
  readonly saysMs: () => number
  /** Looks whether the verdict is another than before, and tells. */
  readonly review: () => void
}

export interface NodeClockDeps {
  readonly clock: Clock
  readonly network: () => Pick<NetworkService, 'peerTime'> | undefined
  /** True where an open store has witnessed what proves that the clock is behind. */
  readonly isProvenBehind: () => boolean
  readonly publish: (event: NodeEventBody) => void
}

export function createNodeClock({ clock, network, isProvenBehind, publish }: NodeClockDeps): NodeClock {
  let told: ClockStatus['verdict'] = 'good'

  function status(): ClockStatus {
    const peers = network()?.peerTime()
    const aheadMs = peers && Math.round(clock.wallMs() - peers.medianMs)
    if (clock.wallMs() < EARLIEST_CLOCK_MS || isProvenBehind()) return { verdict: 'behind', aheadMs }
    return { verdict: aheadMs !== undefined && aheadMs > MAX_DRIFT_MS / 2 ? 'ahead' : 'good', aheadMs }
  }

  return {
    status,
    saysMs: () => (status().verdict === 'behind' ? 0 : clock.wallMs()),
    review: () => {
      const { verdict, aheadMs } = status()
      if (verdict === told) return
      told = verdict
      publish({ kind: 'clock_skew', aheadMs: aheadMs ?? 0 })
    },
  }
}
