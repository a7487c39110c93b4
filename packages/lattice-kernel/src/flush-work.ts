/**
 * When state goes to disk: when there is much of it, when the store has been idle, and again where it failed.
 *
 * @module
 */
import type { Cancel } from '@lattice/model'
import type { Core } from './core.ts'
import { RETRY_MS } from './retry-pause.ts'
import type { StateFlush } from './state-flush.ts'
import type { Work } from './work-loop.ts'

/** How long nothing is written before what is in memory goes to disk: the writes of one user's action go together. */
const IDLE_MS = 1000

export interface FlushWork extends Work {
  /** Nothing is flushed for being idle any more. */
  readonly cancel: () => void
}

export function createFlushWork(core: Core, wake: () => void): FlushWork {
  let timer: Cancel | undefined
  let isCancelled = false
  let awaited: Promise<void> | undefined

  function arm(flush: StateFlush): void {
    if (timer !== undefined || isCancelled || !flush.isBehind()) return
    const armedSeq = core.projection().publishedSeq()
    timer = core.options.scheduler.after(flush.failure() === undefined ? IDLE_MS : RETRY_MS, () => {
      timer = undefined
      const { flush: current, publishedSeq } = core.projection()
      if (publishedSeq() === armedSeq || current.failure() !== undefined) current.request()
      wake()
    })
  }

  return {
    step: () => {
      const { flush } = core.projection()
      const cost = flush.step()
      core.resumeIfRoom()
      if (cost !== undefined) return cost
      const waiting = flush.waiting()
      if (waiting !== awaited) awaited = waiting?.finally(wake)
      arm(flush)
      return undefined
    },
    // Only while others wait for room does the writer wait for the disk.
    waiting: () => (core.isBehind() ? core.projection().flush.waiting() : undefined),
    cancel: () => {
      isCancelled = true
      timer?.()
      timer = undefined
    },
  }
}
