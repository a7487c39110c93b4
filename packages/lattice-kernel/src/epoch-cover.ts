/**
 * What lies below an epoch: nobody who has seen the epoch cites it, so nothing of it needs to be kept for those who cite.
 *
 * Only valid epochs are looked at, whatever became of them since: what is covered follows from the DAG alone.
 *
 * @module
 */
import type { Hlc, IntentionId } from '@lattice/model'
import { type DagQueries, followsBase } from './dag-queries.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

export interface EpochCover {
  /** True for what lies below an epoch in the past of `entry`, which need not be appended. `at`: its time, where it is known. */
  readonly isBelowEpoch: (entry: LogEntry, id: IntentionId, at: Hlc | undefined) => boolean
  /**
   * The epochs that are among these places or in their past, and neither among `known` nor in their past; none of them is
   * in the past of another.
   */
  readonly epochsAt: (places: readonly IntentionMeta[], known?: readonly BookEpoch[]) => readonly BookEpoch[]
  /** True for what lies below one of `epochs` and may no longer be cited after it: epochs and the genesis may. */
  readonly isUncitable: (dep: IntentionMeta, epochs: readonly BookEpoch[]) => boolean
  /** The seq of the last epoch: what was witnessed later lies below none. 0 where there is none. */
  readonly lastSeq: () => number
}

type CoverLog = Pick<LogStore, 'find' | 'reach' | 'book' | 'base' | 'meta'>

export function createEpochCover(log: CoverLog, { follows }: Pick<DagQueries, 'follows'>): EpochCover {
  const { find, reach, book } = log
  return {
    lastSeq: book.lastSeq,
    isBelowEpoch: (entry, id, at) => {
      if (book.lastSeq() === 0) return false
      const place = find(id)
      // What is not here any more lies below the base.
      if (place === undefined) return followsBase(log, entry, at)
      const valid = book.valid()
      // The latest first: most of what is asked about came after all of them.
      for (let index = valid.length - 1; index >= 0; index -= 1) {
        const epoch = valid[index]
        if (epoch === undefined || epoch.meta.seq <= place.seq) return false
        if (book.isBefore(place, epoch.meta) && follows(entry, epoch.record.id)) return true
      }
      return false
    },
    epochsAt: (places, known = []) => {
      const found: BookEpoch[] = []
      const isCovered = (place: IntentionMeta, by: readonly BookEpoch[]): boolean =>
        by.some(({ meta }) => meta.seq === place.seq || book.isBefore(place, meta))
      const highest = places.reduce((seq, place) => Math.max(seq, place.seq), 0)
      for (const epoch of book.valid().toReversed()) {
        const { meta } = epoch
        if (meta.seq > highest || isCovered(meta, known) || isCovered(meta, found)) continue
        if (places.some((place) => place.seq === meta.seq || reach.isAncestor(meta, place))) found.push(epoch)
      }
      return found
    },
    isUncitable: (dep, epochs) =>
      dep.seq !== 1 && epochs.some(({ meta }) => book.isBefore(dep, meta)) && !book.isEpoch(dep.seq),
  }
}
