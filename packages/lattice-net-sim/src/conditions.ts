/**
 * How bad the network is: delays, losses, repetitions and rates, all of which may change while it runs.
 *
 * Streams are reliable, as QUIC's are, so what goes wrong below them shows as time: a lost packet is sent again after a
 * timeout, and whatever its stream carries after it waits. Only a connection can be lost as a whole. Chances are written
 * as one in so many, and nothing is drawn for a fault that is not asked for, so that adding one leaves other runs alone.
 *
 * @module
 */
import { assert } from '@lattice/model'

/** What arrives twice does so within this: packets that live longer are long forgotten. */
export const REPEATED_WITHIN_MS = 2_000

/** One-way delay of a message: whole milliseconds, both ends included. */
export interface LatencyRange {
  readonly min: number
  readonly max: number
}

export interface Conditions {
  readonly latencyMs: LatencyRange
  /** One message in so many takes this much longer: a queue on the way, or a route that changes. */
  readonly spikes?: { readonly oneIn: number; readonly latencyMs: LatencyRange } | undefined
  /** One message in so many is lost and sent again after the timeout, which doubles when that is lost, too. */
  readonly resend?: { readonly oneIn: number; readonly timeoutMs: number } | undefined
  /** One connection is lost per this many messages, on average. */
  readonly loseOneIn?: number | undefined
  /**
   * What the dialler wrote first on one stream in so many reaches the peer again on a stream of its own, as data sent
   * before a handshake may be replayed. Nobody reads the answer.
   */
  readonly replayOneIn?: number | undefined
  /** One dial in so many arrives twice: the peer accepts a second connection that nobody uses. */
  readonly redialOneIn?: number | undefined
  /** What a direction of a link carries; messages wait for those before them. Without bound when absent. */
  readonly bytesPerSecond?: number | undefined
}

/** The conditions of the moment. */
export interface ConditionsBox {
  readonly current: () => Conditions
  /** Replaces those given; messages on their way keep their delays. */
  readonly change: (changes: Partial<Conditions>) => void
}

export function createConditions(initial: Conditions): ConditionsBox {
  let current = checked(initial)
  return {
    current: () => current,
    change: (changes) => {
      current = checked({ ...current, ...changes })
    },
  }
}

function checked(conditions: Conditions): Conditions {
  const { latencyMs, spikes, resend, loseOneIn, replayOneIn, redialOneIn, bytesPerSecond } = conditions
  for (const range of [latencyMs, ...(spikes === undefined ? [] : [spikes.latencyMs])]) {
    assert(Number.isSafeInteger(range.min) && range.min >= 0, 'a latency is a whole number of milliseconds')
    assert(Number.isSafeInteger(range.max) && range.max >= range.min, 'the latency range is not empty')
  }
  for (const oneIn of [spikes?.oneIn, resend?.oneIn, loseOneIn, replayOneIn, redialOneIn]) {
    assert(oneIn === undefined || (Number.isSafeInteger(oneIn) && oneIn > 0), 'a chance is one in a whole number')
  }
  // Otherwise a message would be sent anew for ever.
  assert(resend === undefined || (resend.oneIn > 1 && resend.timeoutMs > 0), 'some messages get through')
  assert(bytesPerSecond === undefined || bytesPerSecond > 0, 'a link carries something')
  return conditions
}
