/**
 * A bounded queue between one producer side and one consumer.
 *
 * Pushing never waits and never grows the queue past its capacity: a full queue refuses, and the producer decides what
 * that means (slow down, drop the peer). What was accepted is delivered before an end or a failure is.
 *
 * @module
 */
import { assert } from './assert.ts'

/** Pushed to from anywhere, iterated by one consumer. */
export interface AsyncQueue<T> extends AsyncIterable<T> {
  /** False, and nothing changes, when the queue is full or closed. */
  readonly push: (item: T) => boolean
  /** Ends the iteration after the items already accepted; with an `error`, by throwing it. Idempotent. */
  readonly close: (error?: Error) => void
  /** Items accepted and not yet taken. */
  readonly size: () => number
}

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void
  readonly reject: (error: Error) => void
}

/** Makes an empty queue that holds at most `capacity` items. */
export function createAsyncQueue<T>({ capacity }: { readonly capacity: number }): AsyncQueue<T> {
  assert(Number.isSafeInteger(capacity) && capacity > 0, 'capacity is a positive integer')
  let items: T[] = []
  // Index of the oldest item: taking one is O(1), and the array is cut when half of it is behind the head.
  let head = 0
  let waiter: Waiter<T> | undefined
  let closed = false
  let failure: Error | undefined
  let iterated = false

  const size = (): number => items.length - head

  const close = (error?: Error): void => {
    if (closed) return
    closed = true
    failure = error
    const waiting = waiter
    waiter = undefined
    if (waiting === undefined) return
    if (error === undefined) waiting.resolve({ done: true, value: undefined })
    else {
      failure = undefined
      waiting.reject(error)
    }
  }

  const next = async (): Promise<IteratorResult<T, undefined>> => {
    if (size() > 0) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- In range: T itself may include undefined.
      const value = items[head] as T
      head += 1
      if (head * 2 >= items.length) {
        items = items.slice(head)
        head = 0
      }
      return { done: false, value }
    }
    if (failure !== undefined) {
      const error = failure
      failure = undefined
      throw error
    }
    if (closed) return { done: true, value: undefined }
    assert(waiter === undefined, 'a queue has one consumer')
    return new Promise((resolve, reject) => {
      waiter = { resolve, reject }
    })
  }

  return {
    push: (item) => {
      if (closed) return false
      if (waiter !== undefined) {
        const waiting = waiter
        waiter = undefined
        waiting.resolve({ done: false, value: item })
        return true
      }
      if (size() >= capacity) return false
      items.push(item)
      return true
    },
    close,
    size,
    [Symbol.asyncIterator]: () => {
      assert(!iterated, 'a queue is iterated once')
      iterated = true
      return {
        next,
        // Leaving the loop early closes the queue, so the producer learns of it by its next push.
        return: async () => {
          items = []
          head = 0
          close()
          return { done: true, value: undefined }
        },
      }
    },
  }
}
