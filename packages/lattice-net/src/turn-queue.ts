/**
 * Turns of the event loop, one to each who asks: long work is done in parts, and no two parts in the same turn.
 *
 * @module
 */
import type { Scheduler } from '@lattice/model'

export interface TurnQueue {
  /** Resolves in a later turn than this, in the order asked, with nobody else's in between. */
  readonly next: () => Promise<void>
}

/** One for all sessions of a node. What waits is bounded by them: each waits for one turn at a time. */
export function createTurnQueue(scheduler: Pick<Scheduler, 'soon'>): TurnQueue {
  const waiting: (() => void)[] = []
  const grant = (): void => {
    const wake = waiting.shift()
    if (waiting.length > 0) scheduler.soon(grant)
    wake?.()
  }
  return {
    next: async () =>
      await new Promise((resolve) => {
        waiting.push(resolve)
        if (waiting.length === 1) scheduler.soon(grant)
      }),
  }
}
