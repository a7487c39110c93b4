/**
 * Keys in order, of which more come at any time.
 *
 * New keys gather unordered; they are put in their place when somebody reads the order, a few at a time if need be. So
 * writes that nobody scans cost nothing here, and a scan after a write costs a search, not a sort. The order is kept in
 * chunks of bounded length: putting a key in its place moves at most one chunk.
 *
 * @module
 */
import { assert, type IdKey } from '@lattice/model'

export interface KeyRange {
  readonly gte?: IdKey
  readonly lt?: IdKey
  readonly reverse: boolean
}

export interface KeyOrder {
  /** Adds a key that is not there. */
  readonly add: (key: IdKey) => void
  /** Takes back the key that was added last of those that are there. */
  readonly remove: (key: IdKey) => void
  /** Puts up to `max` new keys in their place; answers true when all are. */
  readonly settle: (max: number) => boolean
  /** Keys in the range, in its direction, at most `max`. */
  readonly slice: (range: KeyRange, max: number) => IdKey[]
}

/** Keys of a chunk at most: one insertion moves half of that on average. */
const CHUNK_KEYS = 512

export function createKeyOrder(): KeyOrder {
  let waiting: IdKey[] = []
  const chunks: IdKey[][] = [[]]

  function insert(key: IdKey): void {
    const at = chunkOf(chunks, key)
    const chunk = chunks[at]
    assert(chunk !== undefined, 'there is always a chunk')
    const place = lowerBound(chunk, key)
    assert(chunk[place] !== key, 'a key is added once')
    chunk.splice(place, 0, key)
    if (chunk.length > CHUNK_KEYS) chunks.splice(at + 1, 0, chunk.splice(CHUNK_KEYS / 2))
  }

  function remove(key: IdKey): void {
    if (waiting.at(-1) === key) {
      waiting.pop()
      return
    }
    const at = chunkOf(chunks, key)
    const chunk = chunks[at] ?? []
    const place = lowerBound(chunk, key)
    assert(chunk[place] === key, 'the key last added waits last, or is in its place')
    chunk.splice(place, 1)
    if (chunk.length === 0 && chunks.length > 1) chunks.splice(at, 1)
  }

  function settle(max: number): boolean {
    if (waiting.length === 0) return true
    const taken = waiting.length <= max ? waiting : waiting.splice(waiting.length - max)
    if (taken === waiting) waiting = []
    for (const key of taken) insert(key)
    return waiting.length === 0
  }

  return {
    add: (key) => void waiting.push(key),
    remove,
    settle,
    slice: (range, max) => {
      settle(Infinity)
      return range.reverse ? descending(chunks, range, max) : ascending(chunks, range, max)
    },
  }
}

/** Each in order, and all of them; none is empty but an only one. */
type Chunks = readonly (readonly IdKey[])[]

/** The last chunk that begins at or before the key; the first when none does. */
function chunkOf(chunks: Chunks, key: IdKey): number {
  let low = 0
  let high = chunks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const first = chunks[middle]?.[0]
    if (first !== undefined && first <= key) low = middle + 1
    else high = middle
  }
  return Math.max(0, low - 1)
}

function ascending(chunks: Chunks, { gte, lt }: KeyRange, max: number): IdKey[] {
  const found: IdKey[] = []
  let at = gte === undefined ? 0 : chunkOf(chunks, gte)
  let place = gte === undefined ? 0 : lowerBound(chunks[at] ?? [], gte)
  for (; at < chunks.length; at += 1) {
    const chunk = chunks[at] ?? []
    for (; place < chunk.length; place += 1) {
      const key = chunk[place]
      if (key === undefined || found.length >= max || (lt !== undefined && key >= lt)) return found
      found.push(key)
    }
    place = 0
  }
  return found
}

function descending(chunks: Chunks, { gte, lt }: KeyRange, max: number): IdKey[] {
  const found: IdKey[] = []
  let at = lt === undefined ? chunks.length - 1 : chunkOf(chunks, lt)
  let place = (lt === undefined ? (chunks[at]?.length ?? 0) : lowerBound(chunks[at] ?? [], lt)) - 1
  for (; at >= 0; at -= 1) {
    const chunk = chunks[at] ?? []
    for (; place >= 0; place -= 1) {
      const key = chunk[place]
      if (key === undefined || found.length >= max || (gte !== undefined && key < gte)) return found
      found.push(key)
    }
    place = (chunks[at - 1]?.length ?? 0) - 1
  }
  return found
}

function lowerBound(keys: readonly IdKey[], key: IdKey): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const at = keys[middle]
    if (at !== undefined && at < key) low = middle + 1
    else high = middle
  }
  return low
}
