/**
 * Who wants which peer connected, and where peers may be reached.
 *
 * A peer is dialled for as long as somebody wants it: the caller of the service, or a topic that would have it as a
 * neighbour. A topic that was told of a failed dial looks elsewhere, so the peer then rests for a growing, jittered time
 * before it is dialled for a topic again; otherwise a node that nobody answers would go round its peers without end.
 *
 * @module
 */
import { type Clock, type IdKey, idKey, type PublicKey, type Random } from '@lattice/model'
import { backoffMs } from './backoff.ts'
import type { Dialer } from './dialer.ts'
import type { NeighborConnector } from './gossip.ts'
import { MAX_HEARD_PEERS, MAX_KNOWN_PEERS, type NetworkLimits, STABLE_CONNECTION_MS } from './limits.ts'
import { keepLatest } from './keep-latest.ts'

export interface ConnectionWishes extends NeighborConnector {
  /** The caller of the service wants the peer; addresses replace earlier ones when there are any. */
  readonly call: (peer: PublicKey, addresses: readonly string[]) => void
  readonly uncall: (peer: PublicKey) => void
  readonly isWanted: (peer: PublicKey) => boolean
  /** Where to dial a peer, besides what the caller said. */
  readonly known: (peer: PublicKey) => readonly string[]
  readonly dialFailed: (peer: PublicKey) => void
  /** A connection ended that lasted so long. */
  readonly ended: (peer: PublicKey, lastedMs: number) => void
  /** Nobody rests any more. */
  readonly wake: () => void
}

export interface ConnectionWishesOptions {
  readonly self: PublicKey
  readonly clock: Clock
  readonly random: Random
  readonly limits: Pick<NetworkLimits, 'dialBackoffMs' | 'dialBackoffMaxMs'>
  readonly dialer: () => Dialer
  readonly isConnected: (peer: PublicKey) => boolean
  /** Where this node can be reached. */
  readonly ownAddresses: () => readonly string[]
  /** Where a peer was reached before, or says it can be. */
  readonly addressesOf: (peer: PublicKey) => readonly string[]
  /** A dial that a topic asked for came to nothing. */
  readonly onFailed: (peer: PublicKey) => void
}

const CALLER = 'caller'

interface Rest {
  readonly attempts: number
  readonly untilMs: number
}

/** Starts without wishes. */
export function createConnectionWishes(options: ConnectionWishesOptions): ConnectionWishes {
  const { self, clock, random, limits, dialer, isConnected, ownAddresses, addressesOf, onFailed } = options
  const owners = new Map<IdKey, Set<string>>()
  const resting = new Map<IdKey, Rest>()
  const heard = new Map<IdKey, readonly string[]>()

  function add(peer: PublicKey, owner: string, addresses: readonly string[]): void {
    const key = idKey(peer)
    const wanting = owners.get(key) ?? new Set()
    owners.set(key, wanting)
    wanting.add(owner)
    dialer().want(peer, addresses)
  }
  function remove(peer: PublicKey, owner: string): void {
    const key = idKey(peer)
    const wanting = owners.get(key)
    if (wanting?.delete(owner) !== true || wanting.size > 0) return
    owners.delete(key)
    dialer().unwant(peer)
  }
  function isResting(peer: PublicKey): boolean {
    return (resting.get(idKey(peer))?.untilMs ?? 0) > clock.monotonicMs()
  }
  function rest(peer: PublicKey): void {
    const key = idKey(peer)
    const attempts = resting.get(key)?.attempts ?? 0
    const { dialBackoffMs: firstMs, dialBackoffMaxMs: maxMs } = limits
    const untilMs = clock.monotonicMs() + backoffMs(attempts, { firstMs, maxMs, random })
    keepLatest(resting, { key, value: { attempts: attempts + 1, untilMs }, limit: MAX_KNOWN_PEERS })
  }
  function known(peer: PublicKey): readonly string[] {
    const own = addressesOf(peer)
    return own.length > 0 ? own : (heard.get(idKey(peer)) ?? [])
  }

  return {
    isConnected,
    call: (peer, addresses) => add(peer, CALLER, addresses),
    uncall: (peer) => remove(peer, CALLER),
    want: (peer, topic) => {
      // Whom the dialer has in hand already is not dialled sooner.
      if (isResting(peer) && !owners.has(idKey(peer))) onFailed(peer)
      else add(peer, topic, [])
    },
    unwant: (peer, topic) => remove(peer, topic),
    isWanted: (peer) => owners.has(idKey(peer)),
    known,
    addresses: (peer) => (idKey(peer) === idKey(self) ? ownAddresses() : known(peer)),
    heard: ({ peer, addresses }) => keepLatest(heard, { key: idKey(peer), value: addresses, limit: MAX_HEARD_PEERS }),
    dialFailed: (peer) => {
      rest(peer)
      onFailed(peer)
    },
    ended: (peer, lastedMs) => {
      if (lastedMs >= STABLE_CONNECTION_MS) resting.delete(idKey(peer))
      else rest(peer)
    },
    wake: () => resting.clear(),
  }
}
