/**
 * Rejections of published records: those on disk, and behind them those that wait for it.
 *
 * @module
 */
import type { Rejection, StateDatabase } from '@lattice/storage'

export interface PendingRejections {
  readonly add: (rejections: readonly Rejection[]) => void
  /** Those that are not on disk, in log order. */
  readonly waiting: () => readonly Rejection[]
  /** These are on disk. */
  readonly written: (rejections: readonly Rejection[]) => void
  /** Rejections of records after `seq`, in log order. */
  readonly list: (afterSeq: number, limit: number) => readonly Rejection[]
  readonly count: () => number
}

export function createPendingRejections(state: StateDatabase): PendingRejections {
  let waiting: Rejection[] = []
  return {
    add: (rejections) => void waiting.push(...rejections),
    waiting: () => [...waiting],
    written: (rejections) => {
      waiting = waiting.slice(rejections.length)
    },
    list: (afterSeq, limit) => {
      const onDisk = state.rejections(afterSeq, limit)
      return [...onDisk, ...waiting.filter(({ seq }) => seq > afterSeq).slice(0, limit - onDisk.length)]
    },
    count: () => state.rejectionCount() + waiting.length,
  }
}
