import { createManualScheduler } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { createRetry, type Retry } from './retry.ts'
import { RETRY_FIRST_MS, RETRY_MAX_MS } from './retry-pauses.ts'

function retryOn(
  scheduler: ReturnType<typeof createManualScheduler>,
  controller = new AbortController(),
): { retry: Retry; due: number[] } {
  const due: number[] = []
  const { signal } = controller
  const retry = createRetry({ scheduler, signal, onDue: () => due.push(scheduler.clock.monotonicMs()) })
  return { retry, due }
}

describe('a retry', () => {
  test('is due after pauses that double up to a bound, each begun by a failure', () => {
    const scheduler = createManualScheduler()
    const { retry, due } = retryOn(scheduler)
    for (let pauseMs = RETRY_FIRST_MS; pauseMs <= 4 * RETRY_MAX_MS; pauseMs *= 2) {
      const expectedMs = Math.min(pauseMs, RETRY_MAX_MS)
      retry.failed()
      scheduler.advance(expectedMs - 1)
      expect(due).toHaveLength(retry.failures() - 1)
      scheduler.advance(1)
      expect(due).toHaveLength(retry.failures())
      // Whoever tries has all the time it takes.
      scheduler.advance(RETRY_MAX_MS)
    }
  })

  test('is due at once by a nudge while it waits, and not otherwise', () => {
    const scheduler = createManualScheduler()
    const { retry, due } = retryOn(scheduler)
    retry.nudge()
    expect(due).toEqual([])
    retry.failed()
    retry.nudge()
    retry.nudge()
    expect(due).toHaveLength(1)
    expect(scheduler.pending()).toBe(0)
  })

  test('that is over waits for nothing, and begins with the first pause again', () => {
    const scheduler = createManualScheduler()
    const { retry, due } = retryOn(scheduler)
    retry.failed()
    retry.failed()
    expect(scheduler.pending()).toBe(1)
    retry.over()
    expect([scheduler.pending(), retry.failures()]).toEqual([0, 0])
    retry.failed()
    scheduler.advance(RETRY_FIRST_MS)
    expect(due).toHaveLength(1)
  })

  test('ends with its owner, and cannot be begun after that', () => {
    const scheduler = createManualScheduler()
    const controller = new AbortController()
    const { retry, due } = retryOn(scheduler, controller)
    retry.failed()
    controller.abort()
    expect(scheduler.pending()).toBe(0)
    retry.failed()
    retry.nudge()
    expect([scheduler.pending(), due]).toEqual([0, []])
  })
})
