/**
 * Questions over all causes, answered from vectors: what is in a past is, of each lane, everything up to a position.
 *
 * @module
 */
import type { DagGraph, DagWalks, WalkBudget } from './dag-graph.ts'
import { createSeqHeap } from './dag-heap.ts'
import type { LanePosition, Place } from './reach-vector.ts'

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

  return {
    isAncestor: index.isAncestor,
    findLca: (heads) => {
      // The newest first: whatever follows another comes before it, and so does what covers it.
      const candidates = [...commonOf(heads)].sort((a, b) => b.seq - a.seq)
      const covered = new Map<number, number>()
      return candidates.filter((candidate) => {
        if ((covered.get(candidate.lane) ?? -1) >= candidate.position) return false
        budget.spend(1)
        for (const [lane, position] of index.vectorOf(candidate)) {
          if (position > (covered.get(lane) ?? -1)) covered.set(lane, position)
        }
        return true
      })
    },
    downset: (heads, afterSeq) => {
      const union = new Map<number, number>()
      for (const head of heads) {
        for (const [lane, position] of index.vectorOf(head)) {
          if (position > (union.get(lane) ?? -1)) union.set(lane, position)
        }
      }
      const stretches: Stretch[] = []
      for (const [lane, last] of union) {
        if (placeAt(lane, last).seq <= afterSeq) continue
        stretches.push({ lane, last, first: lowest(lane, last, ({ seq }) => seq > afterSeq) })
      }
      return seqsOf(graph, stretches)
    },
    between: (from, head) => {
      const oldest = Math.min(...from.map(({ seq }) => seq))
      const follows = (place: Place): boolean =>
        place.seq >= oldest && from.some((ancestor) => isInPast(place, ancestor))
      const stretches: Stretch[] = []
      for (const [lane, last] of index.vectorOf(head)) {
        if (!follows(placeAt(lane, last))) continue
        const first = lowest(lane, last, follows)
        budget.spend(last - first + 1)
        stretches.push({ lane, first, last })
      }
      return [...seqsOf(graph, stretches)]
    },
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
