/**
 * The states a network is in: now and then a bad one, and in the end the best.
 *
 * @module
 */
import type { SeededRandom } from '@lattice/model/testing'
import type { Conditions } from '@lattice/net-sim'

/** The network in a state of its own: now and then a bad one. */
export function drawConditions(random: SeededRandom): Conditions {
  const often = (oneIn: number): boolean => random.below(oneIn) === 0
  const min = 1 + random.below(20)
  return {
    latencyMs: { min, max: min + random.below(120) },
    spikes: often(3) ? { oneIn: 10 + random.below(90), latencyMs: { min: 100, max: 3_000 } } : undefined,
    resend: often(3) ? { oneIn: 5 + random.below(45), timeoutMs: 200 } : undefined,
    loseOneIn: often(3) ? 100 + random.below(400) : undefined,
    replayOneIn: often(3) ? 3 + random.below(20) : undefined,
    redialOneIn: often(4) ? 2 + random.below(6) : undefined,
    bytesPerSecond: often(5) ? 20_000 + random.below(200_000) : undefined,
  }
}

/** The network at its best, in which everybody has to come together. */
export const FAIR_CONDITIONS: Conditions = {
  latencyMs: { min: 1, max: 20 },
  spikes: undefined,
  resend: undefined,
  loseOneIn: undefined,
  replayOneIn: undefined,
  redialOneIn: undefined,
  bytesPerSecond: undefined,
}
