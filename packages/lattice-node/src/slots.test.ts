import { createAbortController } from '@lattice/model'
import { expect, test } from 'vitest'
import { createSlots } from './slots.ts'

const { signal } = createAbortController()

test('so many run at once as there is room for, the others in turn, whatever becomes of those before', async () => {
  const slots = createSlots({ capacity: 2 })
  const ends: (() => void)[] = []
  const began: number[] = []
  const runs = Array.from({ length: 5 }, (_, index) =>
    slots.run(async () => {
      began.push(index)
      await new Promise<void>((resolve) => {
        ends.push(resolve)
      })
      if (index === 0) throw new Error('failed')
      return index
    }, signal),
  )
  const outcomes = Promise.allSettled(runs)
  for (let turn = 0; turn < 5; turn += 1) {
    await Promise.resolve()
    expect(began.length).toBeLessThanOrEqual(2 + turn)
    ends[turn]?.()
    await runs[turn]?.catch(() => undefined)
    await Promise.resolve()
  }
  expect(began).toEqual([0, 1, 2, 3, 4])
  expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', ...Array(4).fill('fulfilled')])
})

test('who gives up while waiting takes no room', async () => {
  const slots = createSlots({ capacity: 1 })
  let end: () => void = () => undefined
  const first = slots.run(
    () =>
      new Promise<void>((resolve) => {
        end = resolve
      }),
    signal,
  )
  const controller = createAbortController()
  const second = slots.run(async () => 'never', controller.signal)
  const third = slots.run(async () => 'third', signal)
  controller.abort(new Error('enough'))
  await expect(second).rejects.toThrow('enough')
  end()
  await first
  expect(await third).toBe('third')
  expect(await slots.run(async () => 'fourth', signal)).toBe('fourth')
})
