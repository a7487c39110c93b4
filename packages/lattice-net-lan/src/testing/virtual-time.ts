/**
 * Runs test bodies in virtual time.
 *
 * @module
 */
import { type PublicKey, toPublicKey } from '@lattice/model'
import type { ManualScheduler } from '@lattice/model/testing'

/** The key of node `index`. */
export function keyOf(index: number): PublicKey {
  return toPublicKey(new Uint8Array(32).fill(index + 1))
}

/** Runs `body`, moving to the next task whenever it waits. Throws when it waits for something that cannot happen. */
export async function runInVirtualTime(scheduler: ManualScheduler, body: () => Promise<void>): Promise<void> {
  let isRunning = true
  const outcome = body().finally(() => (isRunning = false))
  // The failure is reported below; until then nobody listens to it.
  outcome.catch(() => undefined)
  await scheduler.advanceAsync(0)
  while (isRunning) {
    const delayMs = scheduler.nextDelayMs()
    if (delayMs === undefined) throw new Error('the test waits for something that cannot happen')
    await scheduler.advanceAsync(delayMs)
  }
  return outcome
}
