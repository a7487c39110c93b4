/**
 * Whether all that lies below an epoch is vouched for by what lies below it as well.
 *
 * Who makes an epoch has witnessed whole runs, so none that is honest is otherwise. Over one that is, what vouches for
 * something below would be held by those who have that, and not by those who begin there.
 *
 * @module
 */
import { type IdKey, idKey, isSigned } from '@lattice/model'
import { downsetOf } from './downset.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { LogStore } from './log-store.ts'

export type IsClosed = (epoch: BookEpoch) => boolean

/** Never changes, so it is looked at once. */
export function createIsClosed(log: Parameters<typeof isClosedBelow>[0]): IsClosed {
  const answers = new Map<IdKey, boolean>()
  return (epoch) => {
    const key = idKey(epoch.record.id)
    const answer = answers.get(key) ?? isClosedBelow(log, epoch)
    answers.set(key, answer)
    return answer
  }
}

/** Costs a look at where each lane ends. What is gone was looked at before it went. */
function isClosedBelow(
  log: Pick<LogStore, 'authors' | 'reach' | 'reader' | 'base' | 'entryAt'>,
  epoch: BookEpoch,
): boolean {
  return downsetOf(log, epoch).lanes.every(({ lane, last }) => {
    if (lane === epoch.meta.lane || log.base.isBelow({ lane, position: last })) return true
    const { head } = log.authors.lane(lane)
    const { parsed } = log.entryAt(last === head.position ? head.seq : log.reach.seqAt(lane, last))
    return isSigned(parsed) || isFollowedOn(log, epoch, { lane, last })
  })
}

/** True where the author goes on, below the epoch, in another lane from there. */
function isFollowedOn(
  { authors, reach }: Pick<LogStore, 'authors' | 'reach'>,
  { meta }: BookEpoch,
  { lane, last }: { readonly lane: number; readonly last: number },
): boolean {
  const { author } = authors.lane(lane)
  return authors.lanes().some(({ number, author: by, parent }) => {
    const isBranch = by === author && parent?.lane === lane && parent.position === last
    return isBranch && reach.reach(meta, number) > last
  })
}
