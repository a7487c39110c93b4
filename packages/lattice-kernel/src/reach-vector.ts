/**
 * What an intention has in its past: for each lane the highest position among it and its ancestors.
 *
 * A lane is a chain, so one position stands for all before it. Most of a past is shared with that of others: a vector is
 * a full one that is never changed, which many share, and what is higher than in it.
 *
 * @module
 */
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

/** Puts into `higher` where `other` is higher than `vector` and than what it has already; ends when it has `enough`. */
export function gatherHigher(
  vector: ReachVector,
  other: ReachVector,
  { higher, enough = Infinity }: { readonly higher: Map<number, number>; readonly enough?: number },
): void {
  const { full, over } = vector
  const offer = (lane: number, position: number): void => {
    if (position > (higher.get(lane) ?? over.get(lane) ?? positionIn(full, lane))) higher.set(lane, position)
  }
  for (const [lane, position] of other.over) offer(lane, position)
  const { lanes, positions, lane: fullLane, block } = other.full
  if (full.lane === fullLane && full.block === block) return
  // Both ascend, and most are equal or lower: those need no look at what is over.
  let at = 0
  for (let index = 0; index < lanes.length && higher.size < enough; index += 1) {
    const lane = lanes[index] ?? 0
    const position = positions[index] ?? ABSENT
    while ((full.lanes[at] ?? Infinity) < lane) at += 1
    const shared = full.lanes[at] === lane ? (full.positions[at] ?? ABSENT) : ABSENT
    if (position > shared) offer(lane, position)
  }
}
