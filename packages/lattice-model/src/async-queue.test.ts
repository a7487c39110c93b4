import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAsyncQueue } from './async-queue.ts'

async function drain<T>(queue: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of queue) items.push(item)
  return items
}

describe('AsyncQueue', () => {
  test('delivers what it accepted, in order, and accepts no more than its capacity', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.array(fc.option(fc.nat())), async (capacity, steps) => {
        const queue = createAsyncQueue<number>({ capacity })
        const iterator = queue[Symbol.asyncIterator]()
        const accepted: number[] = []
        const taken: number[] = []
        for (const step of steps) {
          if (step === null) {
            if (queue.size() === 0) continue
            const next = await iterator.next()
            if (next.done !== true) taken.push(next.value)
            continue
          }
          const room = queue.size() < capacity
          expect(queue.push(step)).toBe(room)
          if (room) accepted.push(step)
          expect(queue.size()).toBeLessThanOrEqual(capacity)
        }
        queue.close()
        for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) taken.push(next.value)
        expect(taken).toEqual(accepted)
      }),
    )
  })

  test('wakes a consumer that waits, past a full buffer', async () => {
    const queue = createAsyncQueue<string>({ capacity: 1 })
    const drained = drain(queue)
    await Promise.resolve()
    expect(queue.push('a')).toBe(true)
    queue.close()
    await expect(drained).resolves.toEqual(['a'])
  })

  test('ends after what it holds, then refuses', async () => {
    const queue = createAsyncQueue<number | undefined>({ capacity: 3 })
    queue.push(undefined)
    queue.push(2)
    queue.close()
    expect(queue.push(3)).toBe(false)
    await expect(drain(queue)).resolves.toEqual([undefined, 2])
  })

  test('fails after what it holds, once', async () => {
    const queue = createAsyncQueue<number>({ capacity: 3 })
    queue.push(1)
    queue.close(new Error('torn'))
    queue.close()
    const iterator = queue[Symbol.asyncIterator]()
    await expect(iterator.next()).resolves.toEqual({ done: false, value: 1 })
    await expect(iterator.next()).rejects.toThrow('torn')
    await expect(iterator.next()).resolves.toEqual({ done: true, value: undefined })
  })

  test('fails a consumer that waits', async () => {
    const queue = createAsyncQueue<number>({ capacity: 1 })
    const drained = drain(queue)
    await Promise.resolve()
    queue.close(new Error('torn'))
    await expect(drained).rejects.toThrow('torn')
  })

  test('is closed by a consumer that leaves', async () => {
    const queue = createAsyncQueue<number>({ capacity: 3 })
    queue.push(1)
    queue.push(2)
    for await (const item of queue) {
      expect(item).toBe(1)
      break
    }
    expect(queue.push(3)).toBe(false)
    expect(queue.size()).toBe(0)
  })

  test('has one consumer and a positive capacity', async () => {
    const queue = createAsyncQueue<number>({ capacity: 1 })
    const iterator = queue[Symbol.asyncIterator]()
    expect(() => queue[Symbol.asyncIterator]()).toThrow('iterated once')
    const first = iterator.next()
    await expect(iterator.next()).rejects.toThrow('one consumer')
    queue.close()
    await expect(first).resolves.toMatchObject({ done: true })
    for (const capacity of [0, -1, 1.5]) expect(() => createAsyncQueue({ capacity })).toThrow('positive integer')
  })
})
