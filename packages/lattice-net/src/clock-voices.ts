/**
 * Whose word about the time counts: that of peers who share a store with this node, and of those who are vouched for.
 *
 * Anybody may connect and say a time, with as many keys as it likes; so a stranger's word is worth nothing. Whom a store is
 * fetched from shares none yet, and is all that a board without the time has: the caller vouches for it.
 *
 * It is asked for each write, of every connected peer, where stores may be thousands. So an answer is remembered until
 * something happens by which it may be another, and who is in no circle is a stranger without a look at any store.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey } from '@lattice/model'
import type { Circle } from './gossip.ts'
import type { StoreRegistry } from './store-registry.ts'

export interface ClockVoices {
  /** `key` is the peer's. */
  readonly has: (peer: PublicKey, key: IdKey) => boolean
  /** Who shares what, from data; replaces what was said before. Until then all stores are asked. */
  readonly told: (circles: readonly Circle[]) => void
  /** The peers have a say until the work settles, as it does. */
  readonly vouch: <Result>(peers: readonly PublicKey[], work: () => Promise<Result>) => Promise<Result>
  /** Who may use which store may be otherwise by now. */
  readonly changed: () => void
}

/** Starts without circles. Remembers an answer per peer that it is asked about, until the next change. */
export function createClockVoices(stores: Pick<StoreRegistry, 'resolve' | 'sharesWith'>): ClockVoices {
  const vouched = new Set<ReadonlySet<IdKey>>()
  const answers = new Map<IdKey, boolean>()
  let circlesOf: Map<IdKey, Circle[]> | undefined

  function shares(peer: PublicKey, key: IdKey): boolean {
    if (circlesOf === undefined) return stores.sharesWith(peer)
    const circles = circlesOf.get(key) ?? []
    return circles.some((circle) => circle.stores.some((id) => stores.resolve(peer, id) !== undefined))
  }

  return {
    has: (peer, key) => {
      for (const keys of vouched) if (keys.has(key)) return true
      const known = answers.get(key)
      if (known !== undefined) return known
      const answer = shares(peer, key)
      answers.set(key, answer)
      return answer
    },
    told: (circles) => {
      circlesOf = new Map()
      for (const circle of circles) {
        for (const key of circle.peers.map(idKey)) {
          const known = circlesOf.get(key)
          if (known === undefined) circlesOf.set(key, [circle])
          else known.push(circle)
        }
      }
      answers.clear()
    },
    vouch: async (peers, work) => {
      const keys = new Set(peers.map(idKey))
      vouched.add(keys)
      try {
        return await work()
      } finally {
        vouched.delete(keys)
      }
    },
    changed: () => answers.clear(),
  }
}
