/**
 * Questions over all causes, answered from vectors: what is in a past is, of each lane, everything up to a position.
 *
 * @module
 */
import type { DagGraph, DagWalks, WalkBudget } from './dag-graph.ts'
import { createSeqHeap } from './dag-heap.ts'
import { ABSENT, type LanePosition, type Place } from './reach-vector.ts'

/** A stretch of a lane, both ends included. */
interface Stretch {
  readonly lane: number
  readonly first: number
  readonly last: number
}

export function createAllWalks(graph: DagGraph, budget: WalkBudget): DagWalks {
  const { index, firstPosition } = graph

  function placeAt(lane: number, position: number): Place {
    budget.spend(1)
    return { lane, position, seq: index.seqAt(lane, position) }
  }

  function isInPast(of: Place, { lane, position }: Place): boolean {
    budget.spend(1)
    return index.reach(of, lane) >= position
  }

  /** The lowest position of a lane, up to `last`, from which on all hold; it holds for `last`. */
  function lowest(lane: number, last: number, holds: (place: Place) => boolean): number {
    let low = firstPosition(lane)
    let high = last
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (holds(placeAt(lane, middle))) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Of each lane what is in the past of every head. */
  function commonOf([head, ...others]: readonly Place[]): readonly Place[] {
    if (head === undefined) return []
    let common = [...index.vectorOf(head)]
    for (const other of others) {
      const vector = new Map(index.vectorOf(other))
      common = common.flatMap(([lane, position]): readonly LanePosition[] => {
        const reached = vector.get(lane)
        return reached === undefined ? [] : [[lane, Math.min(position, reached)]]
      })
    }
    return common.map(([lane, position]) => placeAt(lane, position))
  }

  /** What of each lane is in the past of any head and comes after `afterSeq`. */
  function* pastOf(heads: readonly Place[], afterSeq: number): IterableIterator<Stretch> {
    const union = new Map<number, number>()
    for (const head of heads) cover(union, index.vectorOf(head))
    for (const [lane, last] of union) {
      if (placeAt(lane, last).seq <= afterSeq) continue
      yield { lane, last, first: lowest(lane, last, ({ seq }) => seq > afterSeq) }
    }
  }

  /** What of each lane is in the past of `head` and in the future of any of `from`. */
  function* futureOf(from: readonly Place[], head: Place): IterableIterator<Stretch> {
    const oldest = Math.min(...from.map(({ seq }) => seq))
    const follows = (place: Place): boolean => place.seq >= oldest && from.some((ancestor) => isInPast(place, ancestor))
    for (const [lane, last] of index.vectorOf(head)) {
      if (!follows(placeAt(lane, last))) continue
      const first = lowest(lane, last, follows)
      budget.spend(last - first + 1)
      yield { lane, first, last }
    }
  }

  function findLca(heads: readonly Place[]): readonly Place[] {
    // The newest first: whatever follows another comes before it, and so does what covers it.
    const candidates = [...commonOf(heads)].sort((a, b) => b.seq - a.seq)
    const covered = new Map<number, number>()
    return candidates.filter((candidate) => {
      if ((covered.get(candidate.lane) ?? ABSENT) >= candidate.position) return false
      budget.spend(1)
      cover(covered, index.vectorOf(candidate))
      return true
    })
  }

  return {
    isAncestor: index.isAncestor,
    findLca,
    downset: (heads, afterSeq) => seqsOf(graph, [...pastOf(heads, afterSeq)]),
    between: (from, head) => [...seqsOf(graph, [...futureOf(from, head)])],
  }
}

/** Raises `union` to what is higher. */
function cover(union: Map<number, number>, vector: Iterable<LanePosition>): void {
  for (const [lane, position] of vector) {
    if (position > (union.get(lane) ?? ABSENT)) union.set(lane, position)
  }
}

/** The seqs of all stretches, ascending; holds one of each at a time. */
function* seqsOf({ index }: DagGraph, stretches: readonly Stretch[]): IterableIterator<number> {
  const next = createSeqHeap<Place & { readonly last: number }>(1)
  for (const { lane, first, last } of stretches) {
    next.push({ lane, position: first, last, seq: index.seqAt(lane, first) })
  }
  for (let at = next.pop(); at !== undefined; at = next.pop()) {
    yield at.seq
    if (at.position === at.last) continue
    const position = at.position + 1
    next.push({ ...at, position, seq: index.seqAt(at.lane, position) })
  }
}
