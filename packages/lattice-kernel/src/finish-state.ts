/**
 * Brings all that is published to disk before a store is closed.
 *
 * What the disk refuses is left: the log has it, and the next opening applies it again.
 *
 * @module
 */
import type { Scheduler } from '@lattice/model'
import type { StateFlush } from './state-flush.ts'

/** Slices in one turn of the event loop: a small flush has two, its rows and its commit. */
const SLICES_PER_TURN = 2

export async function finishState(flush: StateFlush, scheduler: Scheduler): Promise<void> {
  flush.leaveLog()
  await flush.waiting()
  flush.request()
  for (let slices = 1; flush.isBehind(); slices += 1) {
    if (flush.step() === undefined || flush.failure() !== undefined) break
    if (slices % SLICES_PER_TURN === 0) await new Promise<void>((resolve) => void scheduler.soon(resolve))
  }
  flush.stop()
}
