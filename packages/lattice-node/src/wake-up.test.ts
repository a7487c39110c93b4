import { createManualScheduler } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { createWakeUp } from './wake-up.ts'

const idle = new AbortController().signal

describe('wake-up', () => {
  test('ends a wait by a nudge, by time, and at once after a nudge nobody waited for', async () => {
    const scheduler = createManualScheduler()
    const wakeUp = createWakeUp(scheduler)
    const byNudge = wakeUp.wait(1000, idle)
    wakeUp.nudge()
    await byNudge
    expect(scheduler.pending()).toBe(0)
    const byTime = wakeUp.wait(1000, idle)
    scheduler.advance(1000)
    await byTime
    wakeUp.nudge()
    await wakeUp.wait(1000, idle)
  })

  test('rejects with the reason of an abort, and leaves no timer', async () => {
    const scheduler = createManualScheduler()
    const controller = new AbortController()
    const wait = createWakeUp(scheduler).wait(1000, controller.signal)
    controller.abort(new Error('over'))
    await expect(wait).rejects.toThrow('over')
    expect(scheduler.pending()).toBe(0)
  })
})
