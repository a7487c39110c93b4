/**
 * One-to-one notice of what was committed.
 *
 * @module
 */
import type { Cancel, Logger } from '@lattice/model'

export interface Listeners<T> {
  readonly add: (listener: (notice: T) => void) => Cancel
  /** Calls each listener. What one throws is logged: it must not undo a commit, nor keep others from hearing of it. */
  readonly notify: (notice: T) => void
}

export function createListeners<T>(logger: Logger): Listeners<T> {
  const listeners = new Set<{ readonly call: (notice: T) => void }>()
  return {
    add: (call) => {
      const listener = { call }
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    notify: (notice) => {
      for (const { call } of listeners) {
        try {
          call(notice)
        } catch (error) {
          logger.error('listener failed', { error })
        }
      }
    },
  }
}
