/**
 * The scheduler of the machine, for tests against a real network.
 *
 * @module
 */
import type { Scheduler } from '@lattice/model'

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
