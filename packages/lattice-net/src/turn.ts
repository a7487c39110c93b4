/**
 * A place where one task waits for "something changed" and others say so.
 *
 * @module
 */
import { assert } from '@lattice/model'

export interface Turn {
  /** Resolves at the next `notify`, also at one since the last wait ended. One waiter. */
  readonly wait: () => Promise<void>
  readonly notify: () => void
}

export function createTurn(): Turn {
  let pending = false
  let wake: (() => void) | undefined
  return {
    wait: async () => {
      if (!pending) {
        assert(wake === undefined, 'a turn has one waiter')
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      pending = false
    },
    notify: () => {
      pending = true
      const waking = wake
      wake = undefined
      waking?.()
    },
  }
}
