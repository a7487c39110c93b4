/**
 * Fan-out of events to any number of subscribers, each at its own pace and with bounded memory.
 *
 * A subscriber that falls behind by more than the capacity is told so, once, with the number of events it missed, and goes
 * on with the oldest that is kept. Falling behind is neither an end nor an error.
 *
 * @module
 */
import type { AbortSignal } from './abort.ts'
import { assert } from './assert.ts'
import { createRing } from './ring.ts'

/** In place of events that a subscriber was too slow for: it must read the state again. */
export interface Lagged {
  readonly lagged: number
}

/** One publisher side, many subscribers. */
export interface Broadcast<T> {
  /** Hands the event to every current subscriber. Never waits. */
  readonly publish: (event: T) => void
  /**
   * Events published from this call on, in order. The iteration ends at once when `signal` aborts, and after what is held
   * when the broadcast closes. A subscription is iterated once.
   */
  readonly subscribe: (signal: AbortSignal) => AsyncIterable<T | Lagged>
  /** Ends every subscription after what it still holds. Idempotent. */
  readonly close: () => void
  /** Current number of subscribers. */
  readonly subscribers: () => number
}

interface Subscription<T> {
  readonly offer: (event: T) => void
  /** No more events; what is held is still delivered. */
  readonly end: () => void
  /** Ends at once. */
  readonly abandon: () => void
}

/** True for the notice of missed events. */
export function isLagged(item: unknown): item is Lagged {
  return typeof item === 'object' && item !== null && 'lagged' in item && typeof item.lagged === 'number'
}

/** Makes a broadcast that keeps at most `capacity` events per subscriber. */
export function createBroadcast<T>({ capacity }: { readonly capacity: number }): Broadcast<T> {
  assert(Number.isSafeInteger(capacity) && capacity > 0, 'capacity is a positive integer')
  const subscriptions = new Set<Subscription<T>>()
  let closed = false

  return {
    publish: (event) => {
      for (const subscription of subscriptions) subscription.offer(event)
    },
    subscribe: (signal) => {
      const { subscription, iterable } = createSubscription<T>(capacity, () => {
        subscriptions.delete(subscription)
        signal.removeEventListener('abort', subscription.abandon)
      })
      if (closed || signal.aborted) subscription.end()
      else {
        subscriptions.add(subscription)
        signal.addEventListener('abort', subscription.abandon, { once: true })
      }
      return iterable
    },
    close: () => {
      closed = true
      for (const subscription of subscriptions) subscription.end()
    },
    subscribers: () => subscriptions.size,
  }
}

function createSubscription<T>(
  capacity: number,
  onEnd: () => void,
): { readonly subscription: Subscription<T>; readonly iterable: AsyncIterable<T | Lagged> } {
  const ring = createRing<T>(capacity)
  let missed = 0
  let ended = false
  let iterated = false
  let wake: (() => void) | undefined

  const wakeConsumer = (): void => {
    const waking = wake
    wake = undefined
    waking?.()
  }
  const offer = (event: T): void => {
    if (ring.isFull()) {
      ring.shift()
      missed += 1
    }
    ring.push(event)
    wakeConsumer()
  }
  const end = (): void => {
    if (ended) return
    ended = true
    onEnd()
    wakeConsumer()
  }
  const abandon = (): void => {
    ring.clear()
    missed = 0
    end()
  }
  const next = async (): Promise<IteratorResult<T | Lagged, undefined>> => {
    if (ring.size() === 0 && !ended) {
      assert(wake === undefined, 'a subscription has one consumer')
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    if (missed > 0) {
      const lagged = missed
      missed = 0
      return { done: false, value: { lagged } }
    }
    if (ring.size() === 0) return { done: true, value: undefined }
    return { done: false, value: ring.shift() }
  }
  const leave = async (): Promise<IteratorResult<T | Lagged, undefined>> => {
    abandon()
    return { done: true, value: undefined }
  }
  const iterate = (): AsyncIterator<T | Lagged, undefined> => {
    assert(!iterated, 'a subscription is iterated once')
    iterated = true
    return { next, return: leave }
  }
  return { subscription: { offer, end, abandon }, iterable: { [Symbol.asyncIterator]: iterate } }
}
