/**
 * What is reconciled: items ordered by (timestamp, id), and the bounds that cut this order into ranges.
 *
 * The order is total and the same on both sides, so a bound means the same place in sets that differ. A bound carries
 * only as much of an id as it needs; the bytes it leaves out count as zeros.
 *
 * @module
 */
import { assert, compareBytes, HASH_BYTES, type Hash } from '@lattice/model'

/** An item's id: 32 bytes, all but random. */
export type Id = Hash

/** One element of the set. Its id determines its timestamp. */
export interface Item {
  /** Milliseconds since the Unix epoch: an integer from 0 to {@link MAX_TIMESTAMP}. */
  readonly timestamp: number
  readonly id: Id
}

/** A place between items: everything below it belongs to the range it ends. */
export interface Bound {
  /** An integer up to {@link MAX_TIMESTAMP}, or `Infinity` for the end of the order. */
  readonly timestamp: number
  /** First bytes of an id, at most 32; none at the end of the order. */
  readonly prefix: Uint8Array
}

/** Largest timestamp: one more than its distance from zero still travels as a safe integer. */
export const MAX_TIMESTAMP: number = Number.MAX_SAFE_INTEGER - 1

const NO_PREFIX = new Uint8Array(0)

/** The start of the order. */
export const FIRST_BOUND: Bound = { timestamp: 0, prefix: NO_PREFIX }
/** The end of the order, above every item. */
export const INFINITY_BOUND: Bound = { timestamp: Infinity, prefix: NO_PREFIX }

/** Asserts what every index relies on. */
export function assertItem(item: Item): void {
  assert(Number.isSafeInteger(item.timestamp) && item.timestamp >= 0, 'a timestamp is a safe integer from 0')
  assert(item.timestamp <= MAX_TIMESTAMP, 'a timestamp fits the wire')
  assert(item.id.length === HASH_BYTES, 'an id has 32 bytes')
}

/** Negative, zero or positive as `a` sorts before, with or after `b`. */
export function compareItems(a: Item, b: Item): number {
  return a.timestamp === b.timestamp ? compareBytes(a.id, b.id) : a.timestamp - b.timestamp
}

/** True when `item` lies below `bound`. */
export function isBelow(item: Item, bound: Bound): boolean {
  if (item.timestamp !== bound.timestamp) return item.timestamp < bound.timestamp
  for (let index = 0; index < bound.prefix.length; index += 1) {
    const difference = (item.id[index] ?? 0) - (bound.prefix[index] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

/** Negative, zero or positive as bound `a` lies before, at or after `b`. */
export function compareBounds(a: Bound, b: Bound): number {
  if (a.timestamp !== b.timestamp) return a.timestamp < b.timestamp ? -1 : 1
  const length = Math.max(a.prefix.length, b.prefix.length)
  for (let index = 0; index < length; index += 1) {
    const difference = (a.prefix[index] ?? 0) - (b.prefix[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** The bound right at `item`: the item is the first one not below it. */
export function boundAt(item: Item): Bound {
  return { timestamp: item.timestamp, prefix: item.id }
}

/** The shortest bound with `previous` below it and `next` not. `previous` sorts before `next`. */
export function boundBetween(previous: Item, next: Item): Bound {
  assert(compareItems(previous, next) < 0, 'items around a bound ascend')
  if (previous.timestamp !== next.timestamp) return { timestamp: next.timestamp, prefix: NO_PREFIX }
  let shared = 0
  while (previous.id[shared] === next.id[shared]) shared += 1
  return { timestamp: next.timestamp, prefix: next.id.subarray(0, shared + 1) }
}
