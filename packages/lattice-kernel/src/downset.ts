/**
 * What lies below an epoch: on every lane, all up to one position. Nothing of the log is read to know it.
 *
 * What two epochs differ by is, lane by lane, the positions between; they are handed out oldest first, as they were
 * witnessed here, which is a causal order. The cost follows what they differ by, and memory the number of lanes.
 *
 * @module
 */
import { createSeqHeap } from './dag-heap.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

export interface DownsetLane {
  readonly lane: number
  readonly first: number
  /** Inclusive. */
  readonly last: number
}

export interface Downset {
  readonly epoch: BookEpoch
  readonly lanes: readonly DownsetLane[]
  /** The last position of a lane that is in it; -1 where none is. */
  readonly lastOf: (lane: number) => number
}

export interface Difference {
  /** How many are left. */
  readonly size: () => number
  /** The next of them, oldest first; none at the end. */
  readonly next: (limit: number) => readonly LogEntry[]
}

export type DownsetLog = Pick<LogStore, 'authors' | 'reach' | 'reader' | 'base'>

export function downsetOf({ authors, reach }: DownsetLog, epoch: BookEpoch): Downset {
  const lanes: DownsetLane[] = []
  const lasts = new Map<number, number>()
  for (const [lane, position] of reach.vectorOf(epoch.meta)) {
    const { parent } = authors.lane(lane)
    const first = parent === undefined ? 0 : parent.position + 1
    const last = lane === epoch.meta.lane ? epoch.meta.position - 1 : position
    if (last < first) continue
    lanes.push({ lane, first, last })
    lasts.set(lane, last)
  }
  return { epoch, lanes, lastOf: (lane) => lasts.get(lane) ?? -1 }
}

/** All that was witnessed up to a record. */
export function witnessedUpto(log: DownsetLog, seq: number): Pick<Downset, 'lanes'> {
  const lanes: DownsetLane[] = []
  for (const { number: lane, parent, head } of log.authors.lanes()) {
    // What a prune took was witnessed before all of this.
    const first = Math.max(parent === undefined ? 0 : parent.position + 1, log.base.lastOf(lane) + 1)
    const last = head.seq <= seq ? head.position : firstAfter(log, { lane, first, last: head.position }, seq) - 1
    if (last >= first) lanes.push({ lane, first, last })
  }
  return { lanes }
}

/** What is in `all`, not in `known`, and was witnessed after `afterSeq`. */
export function differenceOf(
  log: DownsetLog,
  {
    all,
    known,
    afterSeq = 0,
  }: { readonly all: Pick<Downset, 'lanes'>; readonly known?: Downset; readonly afterSeq?: number },
): Difference {
  const heap = createSeqHeap<DownsetLane & { readonly seq: number }>(1)
  let left = 0
  for (const { lane, first, last } of all.lanes) {
    const from = firstAfter(log, { lane, first: Math.max(first, (known?.lastOf(lane) ?? -1) + 1), last }, afterSeq)
    if (from > last) continue
    heap.push({ lane, first: from, last, seq: log.reach.seqAt(lane, from) })
    left += last - from + 1
  }
  return {
    size: () => left,
    next: (limit) => {
      const seqs: number[] = []
      while (seqs.length < limit) {
        const top = heap.pop()
        if (top === undefined) break
        seqs.push(top.seq)
        const { lane, first, last } = top
        if (first < last) heap.push({ lane, first: first + 1, last, seq: log.reach.seqAt(lane, first + 1) })
      }
      left -= seqs.length
      return readAll(log, seqs)
    },
  }
}

/** The first position of a lane that was witnessed after `afterSeq`; one beyond the last where none was. */
function firstAfter({ reach }: DownsetLog, { lane, first, last }: DownsetLane, afterSeq: number): number {
  if (afterSeq === 0) return first
  let [low, high] = [first, last + 1]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (reach.seqAt(lane, middle) > afterSeq) high = middle
    else low = middle + 1
  }
  return low
}

/** Records by ascending seq; those that follow one another are read at once. */
function readAll({ reader }: DownsetLog, seqs: readonly number[]): readonly LogEntry[] {
  const entries: LogEntry[] = []
  for (let index = 0; index < seqs.length;) {
    const first = seqs[index] ?? 0
    let count = 1
    while (seqs[index + count] === first + count) count += 1
    entries.push(...reader.from(first, count))
    index += count
  }
  return entries
}
