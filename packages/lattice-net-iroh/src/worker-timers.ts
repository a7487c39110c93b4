/**
 * The injected scheduler, as the worker has it: what is to happen there in time is asked of the other side of the port,
 * which says when it is due.
 *
 * @module
 */
import type { Cancel, Scheduler } from '@lattice/model'
import type { Command, FromWorker } from './worker-protocol.ts'

/** What of a scheduler crosses the port. */
export type WorkerScheduler = Pick<Scheduler, 'after'>

export interface WorkerTimers extends WorkerScheduler {
  /** The other side says so. Of one that was cancelled meanwhile nothing happens. */
  readonly due: (timer: number) => void
}

/** The worker's side. One entry per task that waits. */
export function createWorkerTimers(post: (message: FromWorker) => void): WorkerTimers {
  const tasks = new Map<number, () => void>()
  let count = 0
  return {
    after: (delayMs, task) => {
      const timer = count
      count += 1
      tasks.set(timer, task)
      post({ kind: 'after', timer, delayMs })
      return () => {
        if (tasks.delete(timer)) post({ kind: 'cancel', timer })
      }
    },
    due: (timer) => {
      const task = tasks.get(timer)
      tasks.delete(timer)
      task?.()
    },
  }
}

export interface ServedTimers {
  readonly receive: (message: Extract<FromWorker, { readonly kind: 'after' | 'cancel' }>) => void
  /** Nothing is due any more. */
  readonly close: () => void
}

/** The side that has the scheduler. */
export function serveTimers(scheduler: WorkerScheduler, tell: (command: Command) => void): ServedTimers {
  const timers = new Map<number, Cancel>()
  return {
    receive: (message) => {
      const { timer } = message
      if (message.kind === 'cancel') {
        timers.get(timer)?.()
        timers.delete(timer)
        return
      }
      const cancel = scheduler.after(message.delayMs, () => {
        timers.delete(timer)
        tell({ op: 'due', timer })
      })
      timers.set(timer, cancel)
    },
    close: () => {
      for (const cancel of timers.values()) cancel()
      timers.clear()
    },
  }
}
