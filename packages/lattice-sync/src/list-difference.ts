/**
 * Compares the own items of a range with the peer's whole list for it, some items at a time.
 *
 * @module
 */
import { assert, HASH_BYTES, idKey, type IdKey, toHash } from '@lattice/model'
import type { Id, Item } from './item.ts'

/** What one list is compared with. */
export interface ListDifference {
  /** Takes own items of the range, each once; answers those that the list does not have, in their order. */
  readonly take: (items: Iterable<Item>) => readonly Id[]
  /** What only the list has, once all own items were taken: in its order, without repetitions, as copies. */
  readonly rest: () => readonly Id[]
}

/** Starts to compare with `ids`, which holds ids back to back and stays as it is until the end. */
export function createListDifference(ids: Uint8Array): ListDifference {
  assert(ids.length % HASH_BYTES === 0, 'an id list holds whole ids')
  const theirs = new Map<IdKey, number>()
  for (let offset = 0; offset < ids.length; offset += HASH_BYTES) {
    const key = idKey(ids.subarray(offset, offset + HASH_BYTES))
    if (!theirs.has(key)) theirs.set(key, offset)
  }
  return {
    take: (items) => {
      const have: Id[] = []
      for (const { id } of items) if (theirs.size === 0 || !theirs.delete(idKey(id))) have.push(id)
      return have
    },
    rest: () => Array.from(theirs.values(), (offset) => toHash(ids.slice(offset, offset + HASH_BYTES))),
  }
}
