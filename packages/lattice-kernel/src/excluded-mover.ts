/**
 * Has the range index follow what is excluded, a record at a time: what counts no more is taken out, what counts again is
 * put back.
 *
 * What is excluded is the end of a lane, and so is at every moment what the index is without: where it stands is a row as
 * well. Costs a reading of each record that moves.
 *
 * @module
 */
import type { PersistentRangeIndex } from '@lattice/sync'
import type { ExcludedRow } from './excluded-rows.ts'
import type { LogEntry } from './log-entry.ts'
import { itemOf } from './range-nodes.ts'

export interface ExcludedMover {
  /** True while the index is not without exactly what is excluded. */
  readonly isMoving: () => boolean
  /** What is excluded of these lanes is another. */
  readonly follow: (lanes: Iterable<number>) => void
  /** Moves so many records at most. */
  readonly move: (limit: number) => void
  /** By lane, what the index is without. */
  readonly moved: () => ReadonlyMap<number, ExcludedRow>
  /** The index is without these. */
  readonly load: (rows: ReadonlyMap<number, ExcludedRow>) => void
}

export interface ExcludedMoverDeps {
  readonly range: PersistentRangeIndex
  readonly entryOf: (lane: number, position: number) => LogEntry
  /** What is excluded of a lane. */
  readonly rowOf: (lane: number) => ExcludedRow | undefined
}

export function createExcludedMover({ range, entryOf, rowOf }: ExcludedMoverDeps): ExcludedMover {
  let moved = new Map<number, ExcludedRow>()
  /** Lanes that may stand elsewhere than they should. */
  const moving = new Set<number>()

  function takeOut(lane: number, position: number, row: ExcludedRow): void {
    range.delete(itemOf(entryOf(lane, position)))
    moved.set(lane, row)
  }

  function putBack(row: ExcludedRow): void {
    const { lane, first, last } = row
    range.insert(itemOf(entryOf(lane, first)))
    if (first === last) moved.delete(lane)
    else moved.set(lane, { ...row, first: first + 1 })
  }

  /** One position of a lane, so that what is out stays the end of it; false when there is none left. */
  function moveOne(lane: number): boolean {
    const [before, after] = [moved.get(lane), rowOf(lane)]
    if (before !== undefined && before.first < (after?.first ?? Infinity)) putBack(before)
    else if (after === undefined) return false
    else if (before === undefined) takeOut(lane, after.last, { ...after, first: after.last })
    else if (before.last < after.last) takeOut(lane, before.last + 1, { ...before, last: before.last + 1 })
    else if (before.first === after.first) return false
    else takeOut(lane, before.first - 1, { ...before, first: before.first - 1 })
    return true
  }

  return {
    isMoving: () => moving.size > 0,
    follow: (lanes) => {
      for (const lane of lanes) moving.add(lane)
    },
    move: (limit) => {
      let left = limit
      for (const lane of moving) {
        for (; left > 0 && moveOne(lane); left -= 1);
        if (left === 0) return
        moving.delete(lane)
      }
    },
    moved: () => moved,
    load: (rows) => {
      moved = new Map(rows)
      moving.clear()
    },
  }
}
