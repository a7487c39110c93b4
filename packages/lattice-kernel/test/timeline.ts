/**
 * Kernels whose time stands still until a test moves it.
 *
 * @module
 */
import { createManualScheduler, type ManualScheduler } from '@lattice/model/testing'
import { openTestKernel, type TestKernel, type TestKernelOptions } from './harness.ts'

async function settle(): Promise<void> {
  for (let turn = 0; turn < 6; turn += 1) await new Promise<void>((resolve) => void setImmediate(resolve))
}

export function timeline(): ManualScheduler {
  return createManualScheduler({ settle })
}

/** Opening takes turns of the event loop, not time. */
export async function openIn(scheduler: ManualScheduler, options: TestKernelOptions): Promise<TestKernel> {
  return done(scheduler, openTestKernel({ clock: scheduler.clock, scheduler, ...options }))
}

/** Waits for what takes turns of the event loop and no time. */
export async function done<T>(scheduler: ManualScheduler, work: Promise<T>): Promise<T> {
  let isDone = false
  void work.finally(() => (isDone = true)).catch(() => {})
  while (!isDone) await scheduler.advanceAsync(0)
  return work
}
