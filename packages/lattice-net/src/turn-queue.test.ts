import { expect, test } from 'vitest'
import { createTurnQueue } from './turn-queue.ts'

test('a turn is for one, in the order asked, and none is taken when nobody asks', async () => {
  const soon: (() => void)[] = []
  const queue = createTurnQueue({
    soon: (task) => {
      soon.push(task)
      return () => undefined
    },
  })
  const granted: number[] = []
  const waiting = [0, 1, 2].map(async (number) => {
    await queue.next()
    granted.push(number)
  })
  for (const expected of [[0], [0, 1], [0, 1, 2]]) {
    expect(soon).toHaveLength(1)
    soon.shift()?.()
    await waiting[expected.length - 1]
    expect(granted).toEqual(expected)
  }
  expect(soon).toEqual([])
  const later = queue.next()
  soon.shift()?.()
  await later
})
