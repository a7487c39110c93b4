/**
 * The clock and the scheduler of the machine, for tests against real sockets.
 *
 * @module
 */
import { performance } from 'node:perf_hooks'
import type { Clock, Scheduler } from '@lattice/model'

export const hostClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }

export const hostScheduler: Scheduler = {
  after: (delayMs, task) => {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
  soon: (task) => {
    const immediate = setImmediate(task)
    return () => clearImmediate(immediate)
  },
}
