/**
 * Which acks of epochs count: those that are not beyond a cutoff of their author.
 *
 * What a peer signed before it was removed stays said. What it signed beyond is here with some, as what others built on,
 * and elsewhere not, so nobody listens to it. That its author had *seen* the epoch is another matter: see `settlement.ts`.
 *
 * @module
 */
import { spanAt } from './cutoff-spans.ts'
import type { Counts } from './epoch-acks.ts'
import type { LogStore } from './log-store.ts'

export function countingAcks({ excluded }: Pick<LogStore, 'excluded'>): Counts {
  const { spans } = excluded.cuts()
  return ({ lane, position }) => spanAt(spans, lane, position)?.kind !== 'all'
}
