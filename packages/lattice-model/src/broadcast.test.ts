import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAbortController } from './abort.ts'
import { createBroadcast, isLagged, type Lagged } from './broadcast.ts'

async function drain<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

describe('Broadcast', () => {
  test('each subscriber gets every event, or is told how many it missed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.boolean(), { maxLength: 30 }),
        async (capacity, steps) => {
          const { signal } = createAbortController()
          const broadcast = createBroadcast<number>({ capacity })
          const slow = broadcast.subscribe(signal)[Symbol.asyncIterator]()
          const quick = drain(broadcast.subscribe(signal))
          const seen: (number | Lagged)[] = []
          let published = 0
          for (const publish of steps) {
            if (publish) {
              broadcast.publish(published)
              published += 1
              await Promise.resolve()
              await Promise.resolve()
              await Promise.resolve()
            } else if (accounted(seen) < published) {
              const next = await slow.next()
              if (next.done !== true) seen.push(next.value)
            }
          }
          broadcast.close()
          for (let next = await slow.next(); next.done !== true; next = await slow.next()) seen.push(next.value)
          // Every event is accounted for, and each stands where its number says.
          expect(accounted(seen)).toBe(published)
          let position = 0
          for (const item of seen) {
            if (isLagged(item)) position += item.lagged
            else expect(item).toBe(position++)
          }
          expect(await quick).toEqual(Array.from({ length: published }, (_, index) => index))
        },
      ),
    )
  })

  function accounted(items: readonly (number | Lagged)[]): number {
    return items.reduce<number>((sum, item) => sum + (isLagged(item) ? item.lagged : 1), 0)
  }

  test('tells of a lag once, then goes on with the oldest that is kept', async () => {
    const broadcast = createBroadcast<string>({ capacity: 2 })
    const subscription = broadcast.subscribe(createAbortController().signal)
    for (const event of ['a', 'b', 'c', 'd', 'e']) broadcast.publish(event)
    broadcast.close()
    expect(await drain(subscription)).toEqual([{ lagged: 3 }, 'd', 'e'])
  })

  test('a slow subscriber does not hold back the others', async () => {
    const broadcast = createBroadcast<number>({ capacity: 1 })
    const { signal } = createAbortController()
    const slow = broadcast.subscribe(signal)
    const quick = broadcast.subscribe(signal)[Symbol.asyncIterator]()
    for (const event of [1, 2, 3]) {
      const next = quick.next()
      broadcast.publish(event)
      expect(await next).toEqual({ done: false, value: event })
    }
    broadcast.close()
    expect(await drain(slow)).toEqual([{ lagged: 2 }, 3])
  })

  test('events before the subscription are not seen', async () => {
    const broadcast = createBroadcast<number>({ capacity: 2 })
    broadcast.publish(1)
    const subscription = broadcast.subscribe(createAbortController().signal)
    broadcast.publish(2)
    broadcast.close()
    expect(await drain(subscription)).toEqual([2])
  })

  test('an abort ends the iteration at once, and forgets the subscriber', async () => {
    const broadcast = createBroadcast<number>({ capacity: 2 })
    const controller = createAbortController()
    const held = broadcast.subscribe(controller.signal)
    const waiting = drain(broadcast.subscribe(controller.signal))
    expect(broadcast.subscribers()).toBe(2)
    controller.abort()
    expect(broadcast.subscribers()).toBe(0)
    broadcast.publish(1)
    expect(await drain(held)).toEqual([])
    expect(await waiting).toEqual([])
    expect(await drain(broadcast.subscribe(controller.signal))).toEqual([])
  })

  test('leaving the loop forgets the subscriber', async () => {
    const broadcast = createBroadcast<number>({ capacity: 2 })
    const subscription = broadcast.subscribe(createAbortController().signal)
    broadcast.publish(1)
    for await (const event of subscription) {
      expect(event).toBe(1)
      break
    }
    expect(broadcast.subscribers()).toBe(0)
  })

  test('a closed broadcast ends new subscriptions, and publishing to it does nothing', async () => {
    const broadcast = createBroadcast<number>({ capacity: 2 })
    broadcast.close()
    broadcast.close()
    broadcast.publish(1)
    expect(await drain(broadcast.subscribe(createAbortController().signal))).toEqual([])
  })
})
