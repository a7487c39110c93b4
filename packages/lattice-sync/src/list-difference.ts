/**
 * Compares the own items of a range with the peer's whole list for it.
 *
 * @module
 */
import { assert, HASH_BYTES, idKey, type IdKey, toHash } from '@lattice/model'
import type { Id, Item } from './item.ts'

export interface ListDifference {
  /** In the order of the items. */
  readonly have: readonly Id[]
  /** In the order of the list, without repetitions. */
  readonly need: readonly Id[]
}

/** What only `items` and what only `ids` has. `ids` holds ids back to back; those returned are copies. */
export function listDifference(items: Iterable<Item>, ids: Uint8Array): ListDifference {
  assert(ids.length % HASH_BYTES === 0, 'an id list holds whole ids')
  const theirs = new Map<IdKey, number>()
  for (let offset = 0; offset < ids.length; offset += HASH_BYTES) {
    const key = idKey(ids.subarray(offset, offset + HASH_BYTES))
    if (!theirs.has(key)) theirs.set(key, offset)
  }
  const have: Id[] = []
  for (const item of items) if (!theirs.delete(idKey(item.id))) have.push(item.id)
  const need = Array.from(theirs.values(), (offset) => toHash(ids.slice(offset, offset + HASH_BYTES)))
  return { have, need }
}
