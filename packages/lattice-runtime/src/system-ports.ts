/**
 * The real clock, dice and timers. Only a composition root may hand them out;
 * everything below is given the ports.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Clock, Random, Scheduler } from '@lattice/model'

/** The machine's wall clock and its monotonic clock. */
export function createSystemClock(): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
  }
}

/** The operating system's cryptographic randomness. */
export function createSystemRandom(): Random {
  return { bytes: (length) => new Uint8Array(randomBytes(length)) }
}

/** setTimeout takes a signed 32-bit delay; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The event loop's timers. A task that is due far in the future is re-armed on the way. */
export function createSystemScheduler(): Scheduler {
  return {
    after: (delayMs, task) => {
      let timer: NodeJS.Timeout
      const arm = (left: number): void => {
        const step = Math.min(Math.max(left, 0), MAX_TIMER_MS)
        timer = setTimeout(() => (left > step ? arm(left - step) : task()), step)
      }
      arm(delayMs)
      return () => clearTimeout(timer)
    },
    soon: (task) => {
      const immediate = setImmediate(task)
      return () => clearImmediate(immediate)
    },
  }
}
