/**
 * What is let be for a while because it brought nothing: by key, until its time is over.
 *
 * @module
 */
import type { Clock } from '@lattice/model'

export interface Pauses<Key> {
  /** Lets it be from now on; another pause of the same key ends with this one. */
  readonly begin: (key: Key) => void
  readonly isPaused: (key: Key) => boolean
}

/** Starts with none; each lasts `pauseMs`. What is over is forgotten with the next that begins. */
export function createPauses<Key>({ monotonicMs }: Pick<Clock, 'monotonicMs'>, pauseMs: number): Pauses<Key> {
  const until = new Map<Key, number>()
  return {
    begin: (key) => {
      for (const [other, endMs] of until) if (endMs <= monotonicMs()) until.delete(other)
      until.set(key, monotonicMs() + pauseMs)
    },
    isPaused: (key) => (until.get(key) ?? 0) > monotonicMs(),
  }
}
