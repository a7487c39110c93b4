/**
 * The peers of a fetch: whom to connect to next.
 *
 * A few are in use at a time; one that is lost makes room for the next of the list, and comes back at its end a few times.
 *
 * @module
 */
import { assert, type IdKey, idKey, type PublicKey } from '@lattice/model'
import { BOOTSTRAP_RETURN_MS, BOOTSTRAP_RETURNS } from './limits.ts'

/** One to connect to. */
export interface Enlisted {
  readonly peer: PublicKey
  /** Rising with each time that it was lost. */
  readonly afterMs: number
}

export interface PeerRoster {
  /** Those to connect to now, where so many are in use. */
  readonly enlist: (inUse: number) => readonly Enlisted[]
  /** Undefined for one that was not to be connected to; else how often it was lost before. */
  readonly connected: (key: IdKey) => number | undefined
  /** It cannot be reached, or was connected and is out. */
  readonly remove: (key: IdKey) => void
  /** One that was lost goes to the end of the list, unless it was lost too often. */
  readonly readmit: (key: IdKey) => void
  /** Connecting, or to be tried. */
  readonly isExpected: (key: IdKey) => boolean
  /** How many are. */
  readonly expected: () => number
  /** How many of these are connecting: the others wait for room. */
  readonly connecting: () => number
  readonly isConnecting: (key: IdKey) => boolean
  /** By the key of anyone of the list. */
  readonly peerOf: (key: IdKey) => PublicKey
}

/** Starts with all of `peers` to be tried, in their order, `max` in use at once. */
export function createPeerRoster(peers: readonly PublicKey[], max: number): PeerRoster {
  const all: ReadonlyMap<IdKey, PublicKey> = new Map(peers.map((peer) => [idKey(peer), peer]))
  const untried = [...all.keys()]
  const connecting = new Set<IdKey>()
  const returns = new Map<IdKey, number>()

  function peerOf(key: IdKey): PublicKey {
    const peer = all.get(key)
    assert(peer !== undefined, 'the peer is of the list')
    return peer
  }
  return {
    enlist: (inUse) => {
      const enlisted: Enlisted[] = []
      while (connecting.size + inUse < max) {
        const key = untried.shift()
        if (key === undefined) break
        connecting.add(key)
        const times = returns.get(key) ?? 0
        enlisted.push({ peer: peerOf(key), afterMs: times === 0 ? 0 : BOOTSTRAP_RETURN_MS * 2 ** (times - 1) })
      }
      return enlisted
    },
    connected: (key) => (connecting.delete(key) ? (returns.get(key) ?? 0) : undefined),
    remove: (key) => {
      connecting.delete(key)
    },
    readmit: (key) => {
      const times = returns.get(key) ?? 0
      if (times >= BOOTSTRAP_RETURNS || connecting.has(key) || untried.includes(key)) return
      returns.set(key, times + 1)
      untried.push(key)
    },
    isExpected: (key) => connecting.has(key) || untried.includes(key),
    expected: () => connecting.size + untried.length,
    connecting: () => connecting.size,
    isConnecting: (key) => connecting.has(key),
    peerOf,
  }
}
