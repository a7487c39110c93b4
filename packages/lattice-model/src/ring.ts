/**
 * A first-in, first-out buffer of fixed capacity.
 *
 * @module
 */
import { assert } from './assert.ts'

/** Holds at most `capacity` items. */
export interface Ring<T> {
  readonly size: () => number
  readonly isFull: () => boolean
  /** Adds at the end. The caller has seen that the ring is not full. */
  readonly push: (item: T) => void
  /** Takes the oldest. The caller has seen that the ring is not empty. */
  readonly shift: () => T
  readonly clear: () => void
}

/** Makes an empty ring. Memory grows with use, up to the capacity. */
export function createRing<T>(capacity: number): Ring<T> {
  assert(Number.isSafeInteger(capacity) && capacity > 0, 'capacity is a positive integer')
  // An item in a box, so that a taken slot is let go of whatever T is.
  const slots: ({ readonly item: T } | undefined)[] = []
  let start = 0
  let size = 0

  return {
    size: () => size,
    isFull: () => size === capacity,
    push: (item) => {
      assert(size < capacity, 'a ring is not pushed to when full')
      slots[(start + size) % capacity] = { item }
      size += 1
    },
    shift: () => {
      const slot = slots[start]
      assert(size > 0 && slot !== undefined, 'a ring is not taken from when empty')
      slots[start] = undefined
      start = (start + 1) % capacity
      size -= 1
      return slot.item
    },
    clear: () => {
      slots.length = 0
      start = 0
      size = 0
    },
  }
}
