/**
 * The neighbours of a tree: whether each gets messages in full or their ids, and the ids that wait to be told.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey, type StoreId } from '@lattice/model'
import { IHAVE_IDS_MAX } from '../limits.ts'
import type { Announced, TreeEffect } from './broadcast-tree.ts'
import type { SeenMessage } from './message-cache.ts'

export interface TreeNeighbor {
  readonly peer: PublicKey
  readonly key: IdKey
  eager: boolean
  /** Its claim of a shorter path was followed, and nothing was missed since. */
  followed: boolean
  /** It was followed in vain: its claims do not change the tree any more. */
  barred: boolean
  /** Ids that are waited for and that it announced first. */
  owed: number
  /** What it is to be told of, by store; {@link IHAVE_IDS_MAX} of each at most. */
  readonly queue: Map<IdKey, { readonly store: StoreId; entries: Announced[] }>
}

/** A new neighbour gets messages in full: a link is in the tree until a second copy shows that it need not be. */
export function createTreeNeighbor(peer: PublicKey): TreeNeighbor {
  return { peer, key: idKey(peer), eager: true, followed: false, barred: false, owed: 0, queue: new Map() }
}

/** Queues an announcement; what does not fit with it goes out now. */
export function announce<P>(neighbor: TreeNeighbor, { store, id, round }: SeenMessage): readonly TreeEffect<P>[] {
  const key = idKey(store)
  const queued = neighbor.queue.get(key) ?? { store, entries: [] }
  neighbor.queue.set(key, queued)
  queued.entries.push({ id, round: round + 1 })
  return queued.entries.length < IHAVE_IDS_MAX ? [] : tellStore(neighbor, key)
}

/** Everything queued. */
export function tellAll<P>(neighbor: TreeNeighbor): readonly TreeEffect<P>[] {
  return [...neighbor.queue.keys()].flatMap((key) => tellStore<P>(neighbor, key))
}

function tellStore<P>({ peer, queue }: TreeNeighbor, key: IdKey): readonly TreeEffect<P>[] {
  const queued = queue.get(key)
  queue.delete(key)
  if (queued === undefined) return []
  return [{ kind: 'send', peer, message: { kind: 'ihave', store: queued.store, entries: queued.entries } }]
}
