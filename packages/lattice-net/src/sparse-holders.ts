/**
 * Connections for the sake of stores that hardly any neighbour holds.
 *
 * Neighbours are drawn from a whole circle, and a child store may be held by few of it: then no broadcast of it comes
 * through, nor does any heartbeat. So where fewer than a few connected peers hold a store, peers are added that said before
 * that they do, found by visits; heartbeats and sessions over these connections do the rest. Who has it of others is chosen
 * at random, so that holders join each other. Bounded for a node as a whole, and one more per review.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey, type Random, type StoreId } from '@lattice/model'
import { drawOne } from './gossip/draw.ts'
import { EXTRA_HOLDER_REVIEWS, EXTRA_HOLDERS_MAX, SPARSE_HOLDERS } from './limits.ts'
import type { PastHolder } from './peer-digests.ts'

export interface SparseHoldersOptions {
  readonly random: Random
  /** Those that are here. */
  readonly stores: () => readonly StoreId[]
  readonly connected: () => readonly PublicKey[]
  /** The connected peer says that it holds the store. */
  readonly holds: (peer: PublicKey, storeId: StoreId) => boolean
  /** Peers that are not connected and said before that they hold a store. */
  readonly pastHolders: () => readonly Pick<PastHolder, 'peer' | 'store'>[]
  readonly mayUse: (peer: PublicKey, storeId: StoreId) => boolean
  /** Connected for the sake of a circle. */
  readonly isNeighbor: (peer: PublicKey) => boolean
  /** Keeps a connection to the peer for the sake of the store, until `unwant`. */
  readonly want: (peer: PublicKey, storeId: StoreId) => void
  readonly unwant: (peer: PublicKey, storeId: StoreId) => void
}

export interface SparseHolders {
  /** To be called now and then. */
  readonly review: () => void
}

interface Extra {
  readonly peer: PublicKey
  readonly storeId: StoreId
  /** Reviews at which it was of no use: not connected yet, or without the store. */
  idle: number
}

/** Starts without extra connections. */
export function createSparseHolders(options: SparseHoldersOptions): SparseHolders {
  const { random, stores, connected, holds, pastHolders, mayUse, isNeighbor, want, unwant } = options
  const extras = new Map<IdKey, Extra>()

  /** Connected holders of the store, as far as that matters. */
  function holdersOf(storeId: StoreId, peers: readonly PublicKey[]): readonly PublicKey[] {
    const holders: PublicKey[] = []
    for (const peer of peers) {
      if (holders.length > SPARSE_HOLDERS) break
      if (holds(peer, storeId)) holders.push(peer)
    }
    return holders
  }
  /** Lets go of those that came to nothing, and of those that the store has enough of without. */
  function letGo(peers: readonly PublicKey[], here: ReadonlySet<IdKey>): void {
    const present = new Set(peers.map(idKey))
    for (const [key, extra] of extras) {
      const { peer, storeId } = extra
      const isOfUse = present.has(key) && holds(peer, storeId)
      extra.idle = isOfUse ? 0 : extra.idle + 1
      const isEnough = isOfUse && holdersOf(storeId, peers).length > SPARSE_HOLDERS
      if (here.has(idKey(storeId)) && extra.idle < EXTRA_HOLDER_REVIEWS && !isEnough) continue
      extras.delete(key)
      unwant(peer, storeId)
    }
  }

  return {
    review: () => {
      const peers = connected()
      const all = stores()
      letGo(peers, new Set(all.map(idKey)))
      if (extras.size >= EXTRA_HOLDERS_MAX) return
      // Who has no neighbours lacks those first.
      const neighbors = peers.filter(isNeighbor)
      const isShared = (storeId: StoreId): boolean => neighbors.some((peer) => mayUse(peer, storeId))
      const sparse = all.filter((storeId) => holdersOf(storeId, peers).length < SPARSE_HOLDERS && isShared(storeId))
      if (sparse.length === 0) return
      const lacking = new Map(sparse.map((storeId) => [idKey(storeId), storeId]))
      const present = new Set(peers.map(idKey))
      const candidates = pastHolders().flatMap(({ peer, store }) => {
        const storeId = lacking.get(store)
        const isNew = storeId !== undefined && !present.has(idKey(peer)) && !extras.has(idKey(peer))
        return isNew && mayUse(peer, storeId) ? [{ peer, storeId }] : []
      })
      const found = drawOne(random, candidates)
      if (found === undefined) return
      extras.set(idKey(found.peer), { ...found, idle: 0 })
      want(found.peer, found.storeId)
    },
  }
}
