/**
 * A bounded queue between one producer side and one consumer.
 *
 * Pushing never waits and never grows the queue past its capacity: a full queue refuses, and the producer decides what
 * that means (slow down, drop the peer). What was accepted is delivered before an end or a failure is.
 *
 * @module
 */
import { assert } from './assert.ts'
import { createRing } from './ring.ts'

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
  const ring = createRing<T>(capacity)
  let waiter: Waiter<T> | undefined
  let closed = false
  let failure: Error | undefined
  let iterated = false

  const takeWaiter = (): Waiter<T> | undefined => {
    const taken = waiter
    waiter = undefined
    return taken
  }
  const takeFailure = (): Error | undefined => {
    const taken = failure
    failure = undefined
    return taken
  }
  const push = (item: T): boolean => {
    if (closed) return false
    const waiting = takeWaiter()
    if (waiting !== undefined) waiting.resolve({ done: false, value: item })
    else if (ring.isFull()) return false
    else ring.push(item)
    return true
  }
  const close = (error?: Error): void => {
    if (closed) return
    closed = true
    const waiting = takeWaiter()
    if (waiting === undefined) failure = error
    else if (error === undefined) waiting.resolve({ done: true, value: undefined })
    else waiting.reject(error)
  }
  const next = async (): Promise<IteratorResult<T, undefined>> => {
    if (ring.size() > 0) return { done: false, value: ring.shift() }
    const error = takeFailure()
    if (error !== undefined) throw error
    if (closed) return { done: true, value: undefined }
    assert(waiter === undefined, 'a queue has one consumer')
    return new Promise((resolve, reject) => {
      waiter = { resolve, reject }
    })
  }
  // Leaving the loop early closes the queue, so the producer learns of it by its next push.
  const leave = async (): Promise<IteratorResult<T, undefined>> => {
    ring.clear()
    close()
    return { done: true, value: undefined }
  }
  const iterate = (): AsyncIterator<T, undefined> => {
    assert(!iterated, 'a queue is iterated once')
    iterated = true
    return { next, return: leave }
  }
  return { push, close, size: ring.size, [Symbol.asyncIterator]: iterate }
}
