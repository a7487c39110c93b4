/**
 * What is remembered of each peer's behaviour, beyond a connection.
 *
 * Each misdeed has its points. They add up to a score of which half is forgiven with time, and the score decides: a muted
 * peer is neither served nor listened to, one beyond that loses its connection and is shut out, each time for longer. What
 * went well in between counts for nothing, since it costs a hostile peer nothing; only time does.
 *
 * The ledger holds a bounded number of peers and forgets the one touched longest ago. It is never written to disk, and no
 * peer adds to the score of another: what a relay passes on it has verified, so an invalid item is its sender's.
 *
 * @module
 */
import { type Clock, type IdKey, idKey, type PublicKey } from '@lattice/model'
import { MUTE_SCORE, SCORE_HALF_LIFE_MS, SHUT_OUT_FORGOTTEN_MS, SHUT_OUT_SCORE } from './defence-limits.ts'
import { MAX_INVALID_PER_CONNECTION, MAX_KNOWN_PEERS, type NetworkLimits } from './limits.ts'
import { keepLatest } from './keep-latest.ts'

/** What a peer can do wrong. */
export type Misdeed =
  /** It sent frames that no honest implementation sends, or a forged log: nothing else it says is of use. */
  | 'violation'
  /** It sent an intention that does not verify, or one without its causes. */
  | 'invalid_item'
  /** It asked for far more than it may, at once. */
  | 'overuse'
  /** It asked for something while it is muted. */
  | 'asked_while_muted'

/** Points of each: one violation shuts out, and so do as many of the others as cannot be an accident. */
export const MISDEED_POINTS: Readonly<Record<Misdeed, number>> = {
  violation: SHUT_OUT_SCORE,
  // The one after the most that a connection may bring shuts out.
  invalid_item: SHUT_OUT_SCORE / (MAX_INVALID_PER_CONNECTION + 1),
  overuse: SHUT_OUT_SCORE / 10,
  // Less than decays between the attempts of a peer that backs off.
  asked_while_muted: 1,
}

/** How a peer is to be treated, from best to worst. */
export type Standing = 'good' | 'muted' | 'shut_out'

export interface PeerLedger {
  /** Adds the points of `count` misdeeds; answers how the peer stands now. */
  readonly score: (peer: PublicKey, misdeed: Misdeed, count?: number) => Standing
  readonly standing: (peer: PublicKey) => Standing
  /** Points of the peer now, in whole numbers. */
  readonly scoreOf: (peer: PublicKey) => number
  /** Milliseconds the peer is still shut out; 0 when it may connect. */
  readonly mutedForMs: (peer: PublicKey) => number
}

interface Entry {
  score: number
  /** When the score was what it says. */
  scoredAtMs: number
  timesOut: number
  outUntilMs: number
}

/** Sums of fractions are taken for what they stand for. */
const ROUNDING = 1e-6

/** Starts without peers. */
export function createPeerLedger({
  clock,
  limits,
}: {
  readonly clock: Clock
  readonly limits: Pick<NetworkLimits, 'muteMs' | 'muteMaxMs'>
}): PeerLedger {
  const entries = new Map<IdKey, Entry>()

  function touch(peer: PublicKey): Entry {
    const key = idKey(peer)
    const entry = entries.get(key) ?? { score: 0, scoredAtMs: clock.monotonicMs(), timesOut: 0, outUntilMs: 0 }
    keepLatest(entries, { key, value: entry, limit: MAX_KNOWN_PEERS })
    return entry
  }
  function decayed({ score, scoredAtMs }: Entry): number {
    return score * 0.5 ** ((clock.monotonicMs() - scoredAtMs) / SCORE_HALF_LIFE_MS)
  }
  function shutOut(entry: Entry): void {
    const nowMs = clock.monotonicMs()
    const forgotten = Math.floor(Math.max(0, nowMs - entry.outUntilMs) / SHUT_OUT_FORGOTTEN_MS)
    const times = Math.max(0, entry.timesOut - forgotten)
    entry.timesOut = times + 1
    entry.outUntilMs = nowMs + Math.min(limits.muteMaxMs, limits.muteMs * 2 ** times)
    // It has been paid for by being shut out: afterwards the peer begins anew, with a shorter way to the next time.
    entry.score = 0
  }
  function standing(peer: PublicKey): Standing {
    const entry = entries.get(idKey(peer))
    if (entry === undefined) return 'good'
    if (entry.outUntilMs > clock.monotonicMs()) return 'shut_out'
    return decayed(entry) >= MUTE_SCORE - ROUNDING ? 'muted' : 'good'
  }

  return {
    score: (peer, misdeed, count = 1) => {
      const entry = touch(peer)
      entry.score = decayed(entry) + MISDEED_POINTS[misdeed] * count
      entry.scoredAtMs = clock.monotonicMs()
      if (entry.score >= SHUT_OUT_SCORE - ROUNDING) shutOut(entry)
      return standing(peer)
    },
    standing,
    scoreOf: (peer) => {
      const entry = entries.get(idKey(peer))
      return entry === undefined ? 0 : Math.round(decayed(entry))
    },
    mutedForMs: (peer) => Math.max(0, (entries.get(idKey(peer))?.outUntilMs ?? 0) - clock.monotonicMs()),
  }
}
