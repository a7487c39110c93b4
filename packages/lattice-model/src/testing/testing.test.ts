import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toHex } from '../bytes.ts'
import { createManualClock } from './manual-clock.ts'
import { createManualScheduler } from './manual-scheduler.ts'
import { createSeededRandom } from './seeded-random.ts'

describe('ManualClock', () => {
  test('stands still until it is moved, and only its wall can be set', () => {
    const clock = createManualClock({ wallMs: 100 })
    clock.advance(5)
    expect([clock.wallMs(), clock.monotonicMs()]).toEqual([105, 5])
    clock.setWallMs(1)
    expect([clock.wallMs(), clock.monotonicMs()]).toEqual([1, 5])
    expect(() => clock.advance(-1)).toThrow('does not run back')
  })
})

describe('ManualScheduler', () => {
  test('runs tasks by time, then in the order they were made', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 5 })), (delays) => {
        const scheduler = createManualScheduler()
        const ran: number[] = []
        delays.forEach((delay, index) => {
          scheduler.after(delay, () => {
            expect(scheduler.clock.monotonicMs()).toBe(delay)
            ran.push(index)
          })
        })
        expect(scheduler.nextDelayMs()).toBe(delays.length === 0 ? undefined : Math.min(...delays))
        scheduler.advance(5)
        // A stable sort by delay keeps the order of insertion.
        expect(ran).toEqual(delays.map((_, index) => index).sort((a, b) => (delays[a] ?? 0) - (delays[b] ?? 0)))
        expect(scheduler.pending()).toBe(0)
      }),
    )
  })

  test('runs what a task schedules within the same advance, and no further', () => {
    const scheduler = createManualScheduler()
    const ran: number[] = []
    const again = (): void => {
      ran.push(scheduler.clock.monotonicMs())
      scheduler.after(10, again)
    }
    scheduler.soon(again)
    scheduler.advance(25)
    expect(ran).toEqual([0, 10, 20])
    expect(scheduler.clock.monotonicMs()).toBe(25)
    expect(scheduler.nextDelayMs()).toBe(5)
  })

  test('a withdrawn task does not run', () => {
    const scheduler = createManualScheduler()
    const ran: string[] = []
    const cancel = scheduler.after(1, () => ran.push('a'))
    scheduler.after(1, () => ran.push('b'))
    cancel()
    cancel()
    expect(scheduler.pending()).toBe(1)
    scheduler.advance(1)
    expect(ran).toEqual(['b'])
  })

  test('lets promise chains go on between tasks when asked to', async () => {
    const scheduler = createManualScheduler()
    const ran: number[] = []
    const loop = async (): Promise<void> => {
      for (let turn = 0; turn < 3; turn += 1) {
        await new Promise<void>((resolve) => {
          scheduler.after(10, resolve)
        })
        ran.push(scheduler.clock.monotonicMs())
      }
    }
    const looped = loop()
    await scheduler.advanceAsync(30)
    expect(ran).toEqual([10, 20, 30])
    await looped
  })
})

describe('SeededRandom', () => {
  test('repeats for a seed, and differs between seeds and forks', () => {
    const draw = (seed: number | string): Uint8Array => createSeededRandom(seed).bytes(16)
    expect(draw(1)).toEqual(draw('1'))
    expect(draw(1)).not.toEqual(draw(2))
    expect(createSeededRandom(1).fork('a').bytes(16)).not.toEqual(createSeededRandom(1).fork('b').bytes(16))
    // Fixed for ever: the vectors are made from it.
    expect(toHex(draw('lattice'))).toBe('da917588f72f6fdf49c79636477def7c')
  })

  test('draws within its bound, and reaches all of it', () => {
    const random = createSeededRandom(7)
    const seen = new Set(Array.from({ length: 200 }, () => random.below(5)))
    expect(seen).toEqual(new Set([0, 1, 2, 3, 4]))
    for (const bound of [0, -1, 1.5, 2 ** 33]) expect(() => random.below(bound)).toThrow('positive integer')
  })
})
