/**
 * What is remembered of each peer beyond a connection: when it was last seen, and how it behaved.
 *
 * A broken protocol shuts a peer out at once, for a time that doubles with each repetition; invalid items are counted
 * and come to the same. The ledger holds a bounded number of peers and forgets the one touched longest ago.
 *
 * @module
 */
import { type Clock, type IdKey, idKey, type PublicKey } from '@lattice/model'
import { MAX_INVALID_PER_CONNECTION, MAX_KNOWN_PEERS, type NetworkLimits } from './limits.ts'
import type { PeerPresence } from './network-event.ts'

export interface PeerLedger {
  readonly online: (peer: PublicKey, outgoing: boolean) => void
  readonly offline: (peer: PublicKey) => PeerPresence
  readonly heard: (peer: PublicKey) => void
  readonly presence: (peer: PublicKey) => PeerPresence | undefined
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
  presence: PeerPresence
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
    const now = clock.wallMs()
    const entry = entries.get(key) ?? {
      presence: { peer, online: false, outgoing: false, sinceMs: now, lastSeenMs: now },
      invalid: 0,
      strikes: 0,
      mutedUntil: 0,
    }
    // Maps keep the order of insertion: put at the end, the first is the one touched longest ago.
    entries.delete(key)
    entries.set(key, entry)
    if (entries.size > MAX_KNOWN_PEERS) {
      for (const [oldest, { presence }] of entries) {
        if (presence.online) continue
        entries.delete(oldest)
        break
      }
    }
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
    online: (peer, outgoing) => {
      const entry = touch(peer)
      const now = clock.wallMs()
      entry.presence = { peer, online: true, outgoing, sinceMs: now, lastSeenMs: now }
    },
    offline: (peer) => {
      const entry = touch(peer)
      entry.presence = { ...entry.presence, online: false }
      return entry.presence
    },
    heard: (peer) => {
      const entry = touch(peer)
      entry.presence = { ...entry.presence, lastSeenMs: clock.wallMs() }
    },
    presence: (peer) => entries.get(idKey(peer))?.presence,
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
