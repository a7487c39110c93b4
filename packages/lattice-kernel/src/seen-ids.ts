/**
 * Every intention that a walk through the log has met, by id: what its effects are compared with.
 *
 * Columns of numbers instead of objects, about 70 bytes per intention, for as long as the walk takes. No index of the log
 * is asked, so a damaged one cannot vouch for itself.
 *
 * @module
 */
import { assert, equalBytes, HASH_BYTES, type Hlc, type IntentionId } from '@lattice/model'

export interface SeenPlace {
  readonly seq: number
  readonly author: number
  readonly lane: number
  readonly position: number
  readonly generation: number
  readonly timestamp: Hlc
}

export interface SeenIds {
  readonly size: () => number
  readonly add: (id: IntentionId, place: SeenPlace) => void
  readonly find: (id: Uint8Array) => SeenPlace | undefined
  /** The id of the record at a seq; `undefined` for one that was not met. */
  readonly idAt: (seq: number) => Uint8Array | undefined
}

const FIRST_CAPACITY = 1024
/** Slots of the hash table per intention. */
const SLOTS_PER_ID = 2
const INTEGERS = ['seq', 'author', 'lane', 'position', 'generation', 'counter'] as const

export function createSeenIds(): SeenIds {
  let capacity = FIRST_CAPACITY
  let size = 0
  let ids = new Uint8Array(capacity * HASH_BYTES)
  let integers = new Uint32Array(capacity * INTEGERS.length)
  let walls = new Float64Array(capacity)
  let slots = new Uint32Array(capacity * SLOTS_PER_ID)

  function idOf(index: number): Uint8Array {
    return ids.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES)
  }

  /** The slot that holds the id, or the free one where it belongs. */
  function slotOf(id: Uint8Array): number {
    let slot = firstWord(id) % slots.length
    for (;;) {
      const entry = slots[slot] ?? 0
      if (entry === 0 || equalBytes(idOf(entry - 1), id)) return slot
      slot = slot + 1 === slots.length ? 0 : slot + 1
    }
  }

  function grow(): void {
    capacity *= 2
    const before = { ids, integers, walls }
    ids = new Uint8Array(capacity * HASH_BYTES)
    ids.set(before.ids)
    integers = new Uint32Array(capacity * INTEGERS.length)
    integers.set(before.integers)
    walls = new Float64Array(capacity)
    walls.set(before.walls)
    slots = new Uint32Array(capacity * SLOTS_PER_ID)
    for (let index = 0; index < size; index += 1) slots[slotOf(idOf(index))] = index + 1
  }

  function placeAt(index: number): SeenPlace {
    const integer = (column: number): number => integers[index * INTEGERS.length + column] ?? 0
    return {
      seq: integer(0),
      author: integer(1),
      lane: integer(2),
      position: integer(3),
      generation: integer(4),
      timestamp: { wall: walls[index] ?? 0, counter: integer(5) },
    }
  }

  return {
    size: () => size,
    add: (id, { seq, author, lane, position, generation, timestamp }) => {
      assert(size === 0 || (integers[(size - 1) * INTEGERS.length] ?? 0) < seq, 'records are met in order')
      if (size === capacity) grow()
      ids.set(id, size * HASH_BYTES)
      integers.set([seq, author, lane, position, generation, timestamp.counter], size * INTEGERS.length)
      walls[size] = timestamp.wall
      slots[slotOf(id)] = size + 1
      size += 1
    },
    find: (id) => {
      const entry = slots[slotOf(id)] ?? 0
      return entry === 0 ? undefined : placeAt(entry - 1)
    },
    idAt: (seq) => {
      const index = indexOf(integers, size, seq)
      return index === undefined ? undefined : idOf(index)
    },
  }
}

/** Ids are hashes, so their first bytes are as good as any hash of them. */
function firstWord(id: Uint8Array): number {
  return ((id[0] ?? 0) | ((id[1] ?? 0) << 8) | ((id[2] ?? 0) << 16) | ((id[3] ?? 0) << 24)) >>> 0
}

/** Records are added by seq, with gaps where they were bad. */
function indexOf(integers: Uint32Array, size: number, seq: number): number | undefined {
  let [low, high] = [0, size - 1]
  while (low <= high) {
    const middle = (low + high) >>> 1
    const found = integers[middle * INTEGERS.length] ?? 0
    if (found === seq) return middle
    if (found < seq) low = middle + 1
    else high = middle - 1
  }
  return undefined
}
