/**
 * What an intention has in its past: for each lane the highest position among it and its ancestors.
 *
 * A lane is a chain, so one position stands for all before it. Most of a past is shared with that of others: a vector is
 * a full one that is never changed, which many share, and what is higher than in it.
 *
 * @module
 */
import { assert } from '@lattice/model'

/** Where an intention stands: in its lane, and in the log. */
export interface Place {
  readonly lane: number
  /** Counted along the chain from the genesis, which has 0. */
  readonly position: number
  readonly seq: number
}

/** A position that nothing has: nothing of the lane is in the past. */
export const ABSENT = -1

/** Never changed once made. Lanes ascend. */
export interface FullVector {
  /** The block that begins with it. */
  readonly lane: number
  readonly block: number
  readonly lanes: Uint32Array
  readonly positions: Uint32Array
}

export interface ReachVector {
  full: FullVector
  /** Where it is higher than `full`, by lane. */
  over: Map<number, number>
}

export type LanePosition = readonly [lane: number, position: number]

export function positionIn(full: FullVector, lane: number): number {
  const { lanes, positions } = full
  let low = 0
  let high = lanes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((lanes[middle] ?? 0) < lane) low = middle + 1
    else high = middle
  }
  return lanes[low] === lane ? (positions[low] ?? ABSENT) : ABSENT
}

export function reachOf({ full, over }: ReachVector, lane: number): number {
  return over.get(lane) ?? positionIn(full, lane)
}

/** Every lane with its position. Lanes ascend. */
export function* entriesOf({ full, over }: ReachVector): IterableIterator<LanePosition> {
  const { lanes, positions } = full
  const higher = sortedEntries(over)
  let index = 0
  for (const [lane, position] of higher) {
    for (; (lanes[index] ?? Infinity) < lane; index += 1) yield [lanes[index] ?? 0, positions[index] ?? 0]
    if (lanes[index] === lane) index += 1
    yield [lane, position]
  }
  for (; index < lanes.length; index += 1) yield [lanes[index] ?? 0, positions[index] ?? 0]
}

/** The vector by itself, as the one that the given block begins with. */
export function fullOf(vector: ReachVector, { lane, block }: Pick<FullVector, 'lane' | 'block'>): FullVector {
  const all = [...entriesOf(vector)]
  return {
    lane,
    block,
    lanes: Uint32Array.from(all, ([key]) => key),
    positions: Uint32Array.from(all, ([, position]) => position),
  }
}

export function sortedEntries(entries: Iterable<LanePosition>): LanePosition[] {
  return [...entries].sort(([a], [b]) => a - b)
}

/** Calls `visit` for every lane of `vector` that is not shared with `known` through its full part. */
export function eachApart(
  vector: ReachVector,
  known: ReachVector,
  visit: (lane: number, position: number) => void,
): void {
  for (const [lane, position] of vector.over) visit(lane, position)
  const { full } = vector
  if (full === known.full || (full.lane === known.full.lane && full.block === known.full.block)) return
  const { lanes, positions } = full
  assert(lanes.length === positions.length, 'each lane has a position')
  for (let index = 0; index < lanes.length; index += 1) visit(lanes[index] ?? 0, positions[index] ?? 0)
}
