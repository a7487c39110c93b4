/**
 * Which epochs there is to be a snapshot at, and when that may have changed.
 *
 * @module
 */
import { type Cancel, type OpKind } from '@lattice/model'
import type { Core } from './core.ts'
import type { BookEpoch } from './epoch-book.ts'

export interface WantedSnapshots {
  /** The newest that is settled. */
  readonly settled: () => BookEpoch | undefined
  /** The one that is to be acknowledged; none while there are several to be joined. */
  readonly head: () => BookEpoch | undefined
  /** The next one that there is to be a snapshot at, of those that are to be made. */
  readonly missing: (isToMake: (epoch: BookEpoch) => boolean) => BookEpoch | undefined
  /** True once whenever something came that may change that. */
  readonly takeNews: () => boolean
  readonly isNews: () => void
  readonly close: () => void
}

/** What changes which epochs count, or who acknowledged them. */
const DECIDING: ReadonlySet<OpKind> = new Set<OpKind>(['genesis', 'system', 'epoch', 'epochAck'])

export function createWantedSnapshots({ log, settlement, witnessed, events }: Core): WantedSnapshots {
  let isNews = true
  let version = -1
  const cancels: readonly Cancel[] = [
    witnessed.add(({ intentions }) => {
      if (intentions.some(({ op }) => DECIDING.has(op.kind))) isNews = true
    }),
    events.add(({ kind }) => {
      if (kind === 'epoch_settled') isNews = true
    }),
  ]

  function head(): BookEpoch | undefined {
    const heads = log.book.heads()
    const [only] = heads
    return only === undefined || heads.length > 1 ? undefined : log.book.epochOf(only)
  }

  return {
    settled: settlement.newestSettled,
    head,
    missing: (isToMake) => [settlement.newestSettled(), head()].find((epoch) => epoch !== undefined && isToMake(epoch)),
    takeNews: () => {
      const was = isNews || version !== log.book.version()
      isNews = false
      version = log.book.version()
      return was
    },
    isNews: () => void (isNews = true),
    close: () => {
      for (const cancel of cancels) cancel()
    },
  }
}
