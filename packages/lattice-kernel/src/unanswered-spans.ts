/**
 * What of a lane calls for no ack: what is quiet by itself, and what is excluded.
 *
 * @module
 */
import type { ExcludedSet } from './excluded-set.ts'
import type { QuietSpans } from './quiet-spans.ts'

export type UnansweredSpans = Pick<QuietSpans, 'countUpTo' | 'nextLoud'>

export function createUnansweredSpans(quiet: UnansweredSpans, excluded: Pick<ExcludedSet, 'endOf'>): UnansweredSpans {
  return {
    countUpTo: (lane, position) => {
      const last = excluded.endOf(lane) - 1
      return position <= last ? quiet.countUpTo(lane, position) : quiet.countUpTo(lane, last) + position - last
    },
    // What is excluded is the end of its lane, so after it nothing calls for an ack.
    nextLoud: (lane, position) => {
      const next = quiet.nextLoud(lane, position)
      return next >= excluded.endOf(lane) ? Infinity : next
    },
  }
}
