import { createAbortController } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runAtOnce, runInTurns, SLICE_BYTES, type Sliced } from './sliced.ts'

function* work(costs: readonly number[]): Sliced<number> {
  let sum = 0
  for (const cost of costs) {
    sum += cost
    yield cost
  }
  return sum
}

describe('work in slices', () => {
  test('does the same at once and in turns, and no turn is longer than a slice and one step', async () => {
    const costs = fc.array(fc.integer({ min: 0, max: 2 * SLICE_BYTES }))
    await fc.assert(
      fc.asyncProperty(costs, async (each) => {
        const turns = [0]
        function* counted(): Sliced<number> {
          for (const cost of each) {
            turns.push((turns.pop() ?? 0) + cost)
            yield cost
          }
          return runAtOnce(work(each))
        }
        const pause = async (): Promise<void> => void turns.push(0)
        const { signal } = createAbortController()
        expect(await runInTurns(counted(), { pause, signal })).toBe(each.reduce((sum, cost) => sum + cost, 0))
        const longest = Math.max(0, ...each)
        for (const turn of turns) expect(turn).toBeLessThan(SLICE_BYTES + longest + 1)
        for (const turn of turns.slice(0, -1)) expect(turn).toBeGreaterThanOrEqual(SLICE_BYTES)
      }),
    )
  })

  test('ends where it is aborted, before the next slice', async () => {
    const stop = createAbortController()
    let steps = 0
    function* long(): Sliced<void> {
      for (let count = 0; count < 10; count += 1) {
        steps += 1
        yield SLICE_BYTES
      }
    }
    const pause = async (): Promise<void> => {
      if (steps === 3) stop.abort(new Error('enough'))
    }
    await expect(runInTurns(long(), { pause, signal: stop.signal })).rejects.toThrow('enough')
    expect(steps).toBe(3)
    await expect(runInTurns(long(), { pause, signal: stop.signal })).rejects.toThrow('enough')
    expect(steps).toBe(3)
  })
})
