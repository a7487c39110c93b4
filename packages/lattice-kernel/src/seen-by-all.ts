/**
 * What everybody who may write has seen: of that nothing has to be kept for a write that was made without knowing of it.
 *
 * Asked of the newest epoch that is settled and that all who are active have seen, those whom it does not name, too: who was
 * let in at the same time. A peer that is dormant or out, and comes back, may have written without.
 *
 * @module
 */
import type { IntentionId } from '@lattice/model'
import type { Core } from './core.ts'

/** As it is now; for an epoch that comes to be seen later it is to be made anew. */
export function createSeenByAll({ log, settlement }: Pick<Core, 'log' | 'settlement'>): (id: IntentionId) => boolean {
  const active = log.book.view().active()
  const epoch = log.book
    .valid()
    .toReversed()
    .find((each) => settlement.isSettled(each) && active.every((key) => settlement.hasSeen(each, key)))
  if (epoch === undefined) return () => false
  return (id) => {
    const place = log.find(id)
    // What is not here any more was below an epoch at which everybody could cut.
    return place === undefined || log.book.isBefore(place, epoch.meta)
  }
}
