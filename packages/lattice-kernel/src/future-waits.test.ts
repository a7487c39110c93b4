import { HLC_ZERO, idKey, NO_HINTS, toIntentionId, toPublicKey } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFloatingEntry, type FloatingEntry } from './floating-entry.ts'
import { createFutureTimer } from './future-timer.ts'
import { createFutureWaits } from './future-waits.ts'

function entryOf(number: number): FloatingEntry {
  const id = toIntentionId(new Uint8Array(32).fill(number))
  const intention = {
    author: toPublicKey(new Uint8Array(32)),
    timestamp: HLC_ZERO,
    storePrev: id,
    causalDeps: [id],
    hints: NO_HINTS,
    ops: new Uint8Array(0),
  }
  const op = { kind: 'unknown' } as const
  const parsed = { id, intention, op, bytes: new Uint8Array(1), signature: new Uint8Array(64) }
  return createFloatingEntry(parsed, idKey(id), number)
}

describe('what waits for its time', () => {
  // Model: a map from entry to its time.
  test('is found by time, whatever came and went', () => {
    const steps = fc.array(fc.tuple(fc.nat({ max: 15 }), fc.nat({ max: 30 }), fc.nat({ max: 30 })), { maxLength: 120 })
    fc.assert(
      fc.property(steps, (history) => {
        const entries = Array.from({ length: 16 }, (_, number) => entryOf(number))
        const waits = createFutureWaits()
        const model = new Map<FloatingEntry, number>()
        for (const [number, untilMs, nowMs] of history) {
          const entry = entries[number]
          if (entry === undefined) continue
          if (model.delete(entry)) waits.remove(entry)
          else {
            model.set(entry, untilMs)
            waits.add(entry, untilMs)
          }
          waits.remove(entryOf(99))
          expect(waits.size()).toBe(model.size)
          expect(waits.earliestMs() ?? Infinity).toBe(Math.min(...model.values(), Infinity))
          const due = waits.due(nowMs)
          expect(new Set(due)).toEqual(new Set([...model].filter(([, until]) => until <= nowMs).map(([each]) => each)))
          const times = due.map((each) => model.get(each) ?? -1)
          expect(times).toEqual(times.toSorted((a, b) => a - b))
        }
      }),
    )
  })
})

describe('the timer', () => {
  test('fires once for the earliest, is armed anew when time jumps, and not when nothing changed', () => {
    const scheduler = createManualScheduler()
    const { clock } = scheduler
    const start = clock.wallMs()
    let armed = 0
    let fired = 0
    let earliest: number | undefined = start + 30_000
    const timer = createFutureTimer({
      scheduler: {
        ...scheduler,
        after: (delayMs, task) => {
          armed += 1
          return scheduler.after(delayMs, task)
        },
      },
      clock,
      nowMs: () => clock.wallMs(),
      earliestMs: () => earliest,
      onDue: () => {
        fired += 1
      },
    })
    for (let count = 0; count < 5; count += 1) timer.arm()
    scheduler.advance(10_000)
    timer.arm()
    expect([armed, fired]).toEqual([1, 0])
    // Someone sets the clock: it is due in a second.
    clock.setWallMs(start + 29_000)
    timer.arm()
    expect(armed).toBe(2)
    scheduler.advance(1000)
    expect(fired).toBe(1)
    earliest = undefined
    timer.arm()
    scheduler.advance(1_000_000)
    expect([armed, fired]).toEqual([2, 1])
  })
})
