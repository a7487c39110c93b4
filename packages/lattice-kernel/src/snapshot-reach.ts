/**
 * Whether the state at an epoch can still come to be made on this node.
 *
 * A whole log makes any. Of a pruned one state is made by going on from a snapshot that is kept, and these move forward
 * alone: what none of them lies before now, none ever will. Such an epoch is met where a store was fetched at a later one,
 * which counts as settled only when the rest has come, and beside the snapshot that others took.
 *
 * @module
 */
import { equalBytes } from '@lattice/model'
import { isMadeOfKept } from './begun-state.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { KeptSnapshots } from './kept-snapshots.ts'
import type { LogStore } from './log-store.ts'

/** Asks for what is kept to be open. */
export function isWithinReach(
  log: Pick<LogStore, 'base' | 'book'>,
  kept: Pick<KeptSnapshots, 'all'>,
  { record, meta }: BookEpoch,
): boolean {
  if (log.base.epoch() === undefined) return true
  return kept.all().some(({ epoch }) => {
    if (equalBytes(epoch, record.id)) return true
    const from = log.book.epochOf(epoch)
    return from !== undefined && isMadeOfKept(log, from) && log.book.isBefore(from.meta, meta)
  })
}
