/**
 * What is remembered of each peer's behaviour, beyond a connection.
 *
 * A broken protocol shuts a peer out at once, for a time that doubles with each repetition; invalid items are counted
 * and come to the same. The ledger holds a bounded number of peers and forgets the one touched longest ago.
 *
 * @module
 */
import { type Clock, type IdKey, idKey, type PublicKey } from '@lattice/model'
import { MAX_INVALID_PER_CONNECTION, MAX_KNOWN_PEERS, type NetworkLimits } from './limits.ts'

export interface PeerLedger {
  /** A broken protocol: shut out from now on for the time answered. */
  readonly strike: (peer: PublicKey) => number
  /** Counts invalid items; true when they are too many and the peer was struck for them. */
  readonly invalid: (peer: PublicKey, count: number) => boolean
  /** Milliseconds the peer is still shut out; 0 when it is welcome. */
  readonly mutedForMs: (peer: PublicKey) => number
  /** A session went well: what was counted against the peer is forgiven. */
  readonly behaved: (peer: PublicKey) => void
}

interface Entry {
  invalid: number
  strikes: number
  mutedUntil: number
}

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
    const entry = entries.get(key) ?? { invalid: 0, strikes: 0, mutedUntil: 0 }
    // Maps keep the order of insertion: put at the end, the first is the one touched longest ago.
    entries.delete(key)
    entries.set(key, entry)
    const [oldest] = entries.keys()
    if (entries.size > MAX_KNOWN_PEERS && oldest !== undefined) entries.delete(oldest)
    return entry
  }
  function strike(peer: PublicKey): number {
    const entry = touch(peer)
    const forMs = Math.min(limits.muteMaxMs, limits.muteMs * 2 ** entry.strikes)
    entry.strikes += 1
    entry.invalid = 0
    entry.mutedUntil = clock.monotonicMs() + forMs
    return forMs
  }

  return {
    strike,
    invalid: (peer, count) => {
      const entry = touch(peer)
      entry.invalid += count
      if (entry.invalid <= MAX_INVALID_PER_CONNECTION) return false
      strike(peer)
      return true
    },
    mutedForMs: (peer) => Math.max(0, (entries.get(idKey(peer))?.mutedUntil ?? 0) - clock.monotonicMs()),
    behaved: (peer) => {
      const entry = entries.get(idKey(peer))
      if (entry === undefined || entry.strikes === 0) return
      entry.strikes = 0
    },
  }
}
