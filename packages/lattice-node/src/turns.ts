/**
 * Whose turn it is to do what one of several nodes has to do: the first in order at once, each next one a deadline later.
 *
 * So it is done although those before are away, and most often by one alone; what is done twice all the same has to be
 * harmless. A turn is remembered until it is ended: whoever finds nothing left to do ends it.
 *
 * @module
 */
import type { Cancel, IdKey, Scheduler } from '@lattice/model'

export interface Turns {
  /** True once it is the turn of who has so many before it, about one thing; `wake` is called then. */
  readonly isCome: (key: IdKey, before: number) => boolean
  readonly end: (key: IdKey) => void
  readonly close: () => void
}

export interface TurnsOptions {
  readonly scheduler: Scheduler
  readonly deadlineMs: number
  readonly wake: () => void
}

interface Turn {
  readonly cancel: Cancel
  isCome: boolean
}

export function createTurns({ scheduler, deadlineMs, wake }: TurnsOptions): Turns {
  const turns = new Map<IdKey, Turn>()

  function end(key: IdKey): void {
    turns.get(key)?.cancel()
    turns.delete(key)
  }

  return {
    isCome: (key, before) => {
      if (before === 0) return true
      const known = turns.get(key)
      if (known !== undefined) return known.isCome
      const made: Turn = {
        isCome: false,
        cancel: scheduler.after(before * deadlineMs, () => {
          made.isCome = true
          wake()
        }),
      }
      turns.set(key, made)
      return false
    },
    end,
    close: () => {
      for (const key of turns.keys()) end(key)
    },
  }
}
