/**
 * What every read checks of its request before it looks at a row.
 *
 * @module
 */
import { isKvKey, type KvRange } from '@lattice/kvtable'
import { compareBytes, MAX_KEY_BYTES } from '@lattice/model'
import { InvalidArgument, LimitExceeded } from '@lattice/store-base'
import { DEFAULT_LIST_LIMIT } from './limits.ts'

export function checkKey(key: Uint8Array): Uint8Array {
  if (!isKvKey(key))
    throw new InvalidArgument(
      `a key has 1 to ${MAX_KEY_BYTES} bytes, this one has ${key.length}: give the key of an entry`,
    )
  return key
}

/** A bound is no key: it may be empty, and longer ones than any key are refused before they are compared. */
export function checkBound(bound: Uint8Array, name: string): Uint8Array {
  if (bound.length > MAX_KEY_BYTES)
    throw new InvalidArgument(
      `the ${name} has ${bound.length} bytes, no key is longer than ${MAX_KEY_BYTES}: shorten it`,
    )
  return bound
}

/** The keys with a prefix that are in a range; empty bounds are open. */
export function checkRange({ prefix, start, end }: RangeRequest): KvRange {
  const gte = checkBound(start, 'start')
  const lt = checkBound(end, 'end')
  if (gte.length > 0 && lt.length > 0 && compareBytes(gte, lt) > 0)
    throw new InvalidArgument('the range is upside down: give a start that is not after the end')
  return {
    prefix: checkBound(prefix, 'prefix'),
    ...(gte.length > 0 && { gte }),
    ...(lt.length > 0 && { lt }),
  }
}

interface RangeRequest {
  readonly prefix: Uint8Array
  readonly start: Uint8Array
  readonly end: Uint8Array
}

/** 0 asks for the default. */
export function checkPageLimit(limit: number, most: number): number {
  if (limit > most)
    throw new LimitExceeded(`a page has at most ${most} entries: ask for fewer and follow the page token`, {
      limit: most,
      actual: limit,
    })
  return limit === 0 ? DEFAULT_LIST_LIMIT : limit
}
