/**
 * Which epochs are settled: seen by everybody who has to have seen them.
 *
 * A peer has seen an epoch when it is in the past of one of its tips, whatever it wrote; what is excluded is no tip. What is
 * beyond a cutoff and links what is not is on the way to all that its author writes once it is back, so it has seen what
 * that says it has. Once seen it stays seen while nothing more is excluded, so each peer is asked about until it has and not
 * again. Who has to may change: a peer that is removed or dormant holds nothing up, and counts again when it is back. Where
 * nobody is active, as while the store is closed that has the peers of this one, all are waited for: nobody knows who is out.
 *
 * @module
 */
import { type IdKey, idKey, type PublicKey, readPublicKey } from '@lattice/model'
import { byRank } from './book-items.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { LogStore } from './log-store.ts'

export interface Settlement {
  /** The keys that an epoch names, that are still active, if anybody is, and have not seen it. */
  readonly waitingFor: (epoch: BookEpoch) => readonly PublicKey[]
  /** True when the peer has the epoch in the past of what it wrote, or wrote it. */
  readonly hasSeen: (epoch: BookEpoch, key: PublicKey) => boolean
  /** False for an epoch without effect. */
  readonly isSettled: (epoch: BookEpoch) => boolean
  /** The settled epoch that goes before the others. */
  readonly newestSettled: () => BookEpoch | undefined
  /** The number of the newest settled epoch plus one; 0 without one. */
  readonly settledSeq: () => number
  /** Epochs that are settled and were not whenever this was asked before. The first time, none. */
  readonly news: () => readonly BookEpoch[]
  /** Records are gone. */
  readonly forget: () => void
}

export function createSettlement({ counted, excluded, reach, book, meta }: LogStore): Settlement {
  /** By epoch, who has seen it. */
  const seen = new Map<IdKey, Set<IdKey>>()
  const told = new Set<IdKey>()
  /** What was excluded when these were asked about. */
  let excludedAt = excluded.version()
  let isFirst = true
  let newest:
    | {
        readonly headSeq: number
        readonly version: number
        readonly excludedAt: number
        readonly epoch: BookEpoch | undefined
      }
    | undefined

  function hasSeen({ record, meta: place }: BookEpoch, key: PublicKey): boolean {
    if (excludedAt !== excluded.version()) seen.clear()
    excludedAt = excluded.version()
    const by = idKey(key)
    const known = seen.get(idKey(record.id)) ?? new Set<IdKey>()
    if (known.has(by)) return true
    const lanes = counted.find(key)?.lanes ?? []
    const isSeen = lanes.some((number) => {
      const { head } = counted.lane(number)
      return head.seq === place.seq || reach.isAncestor(place, { lane: number, position: head.position, seq: head.seq })
    })
    if (isSeen) seen.set(idKey(record.id), known.add(by))
    return isSeen
  }

  function* missing(epoch: BookEpoch): Generator<PublicKey, void, undefined> {
    const active = new Set(book.view().active().map(idKey))
    const isAwaited = (key: PublicKey): boolean => active.size === 0 || active.has(idKey(key))
    for (const key of requiredOf(epoch)) if (isAwaited(key) && !hasSeen(epoch, key)) yield key
  }

  function isSettled(epoch: BookEpoch): boolean {
    return book.view().faultOf(epoch.record.id) === undefined && missing(epoch).next().done === true
  }

  function newestSettled(): BookEpoch | undefined {
    const { headSeq } = meta()
    const [version, without] = [book.version(), excluded.version()]
    if (newest?.headSeq !== headSeq || newest.version !== version || newest.excludedAt !== without) {
      const epoch = book.valid().toSorted(byRank).find(isSettled)
      newest = { headSeq, version, excludedAt: without, epoch }
    }
    return newest.epoch
  }

  return {
    waitingFor: (epoch) => [...missing(epoch)],
    hasSeen,
    isSettled,
    newestSettled,
    settledSeq: () => {
      const settled = newestSettled()
      return settled === undefined ? 0 : Number(settled.record.op.value.seq) + 1
    },
    news: () => {
      const settled = book.valid().filter((epoch) => !told.has(idKey(epoch.record.id)) && isSettled(epoch))
      for (const { record } of settled) told.add(idKey(record.id))
      const isNews = !isFirst
      isFirst = false
      return isNews ? settled : []
    },
    forget: () => {
      seen.clear()
      newest = undefined
    },
  }
}

/** The keys that an epoch names; what is no key is none. */
export function requiredOf({ record }: BookEpoch): readonly PublicKey[] {
  return record.op.value.requiredAcks.flatMap((bytes) => readPublicKey(bytes) ?? [])
}
