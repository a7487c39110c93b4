/**
 * What of the set over an epoch is not later than the epoch: the spine below it, and what was written beside it.
 *
 * Timestamps ascend along a lane, so on each lane what is wanted begins where the epoch's past ends and goes on up to the
 * first that is later than the epoch. Later commits add to the ends; when something else is excluded it is made anew.
 *
 * @module
 */
import { createMemoryRangeIndex, type Item, type MemoryRangeIndex, type RangeIndex } from '@lattice/sync'
import { type Downset, downsetOf } from './downset.ts'
import type { BookEpoch } from './epoch-book.ts'
import type { Lane } from './lane-book.ts'
import type { LogEntry } from './log-entry.ts'
import type { LogStore } from './log-store.ts'

export type OverLog = Pick<
  LogStore,
  'authors' | 'reach' | 'reader' | 'counted' | 'excluded' | 'book' | 'entryAt' | 'meta' | 'range' | 'find' | 'base'
>

export interface EarlyPart {
  /** Brought up to what is committed. */
  readonly current: () => RangeIndex
}

export function createEarlyPart(log: OverLog, epoch: BookEpoch): EarlyPart {
  const { wall } = epoch.meta.timestamp
  const below = downsetOf(log, epoch)
  let index: MemoryRangeIndex = createMemoryRangeIndex()
  /** By lane, the first position that was not looked at, or that is later than the epoch. */
  let next = new Map<number, number>()
  let made: { readonly headSeq: number; readonly version: number } | undefined

  function follow(lane: Lane): void {
    const from = next.get(lane.number) ?? firstAbove(lane, below)
    let position = from
    for (; position <= lane.head.position; position += 1) {
      const entry = log.entryAt(seqOf(log, lane, position))
      if (entry.meta.timestamp.wall > wall) break
      index.insert(itemOf(entry))
    }
    // One that is later ends the lane's part for good.
    next.set(lane.number, position <= lane.head.position ? Infinity : position)
  }

  return {
    current: () => {
      const [{ headSeq }, version] = [log.meta(), log.excluded.version()]
      if (made?.headSeq === headSeq && made.version === version) return index
      if (made?.version !== version) {
        index = createMemoryRangeIndex(spineBelow(log, epoch).map(itemOf))
        next = new Map()
      }
      for (const lane of log.counted.lanes()) follow(lane)
      made = { headSeq, version }
      return index
    },
  }
}

/** The genesis and what decides about membership, below an epoch: oldest first. */
export function spineBelow(log: Pick<OverLog, 'book' | 'entryAt'>, epoch: BookEpoch): readonly LogEntry[] {
  const genesis = log.entryAt(1)
  const records = log.book.all().filter(({ meta }) => meta.seq > 1 && log.book.isBefore(meta, epoch.meta))
  return [genesis, ...records.map(({ meta }) => log.entryAt(meta.seq))]
}

export function firstOf({ parent }: Pick<Lane, 'parent'>): number {
  return parent === undefined ? 0 : parent.position + 1
}

/** The first position of a lane that is not below. */
function firstAbove(lane: Lane, below: Downset): number {
  return Math.max(firstOf(lane), below.lastOf(lane.number) + 1)
}

export function seqOf({ reach }: Pick<OverLog, 'reach'>, { number, head }: Lane, position: number): number {
  return position === head.position ? head.seq : reach.seqAt(number, position)
}

function itemOf({ parsed }: LogEntry): Item {
  return { timestamp: parsed.intention.timestamp.wall, id: parsed.id }
}
