/**
 * Questions over causal deps alone, answered by walking back from the heads.
 *
 * An edge less is a path less, so what all causes rule out needs no look: vectors prune, deps decide.
 *
 * @module
 */
import type { DagGraph, DagWalks, WalkBudget } from './dag-graph.ts'
import { createSeqHeap } from './dag-heap.ts'
import type { Place } from './reach-vector.ts'

export function createCausalWalks(graph: DagGraph, budget: WalkBudget): DagWalks {
  const { index, depsAt } = graph

  /** All that is met from the heads on; goes only where `isWanted`. */
  function walk(heads: readonly Place[], isWanted: (place: Place) => boolean): Map<number, Place> {
    const met = new Map<number, Place>()
    const stack: Place[] = []
    const meet = (place: Place): void => {
      if (met.has(place.seq) || !isWanted(place)) return
      met.set(place.seq, place)
      stack.push(place)
    }
    heads.forEach(meet)
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      budget.spend(1)
      depsAt(at.seq).forEach(meet)
    }
    return met
  }

  function between(from: readonly Place[], head: Place): readonly number[] {
    const starts = new Set(from.map(({ seq }) => seq))
    const mayFollow = (place: Place): boolean =>
      from.some((ancestor) => ancestor.seq === place.seq || index.isAncestor(ancestor, place))
    const reached = new Set<number>()
    // A record comes after all it cites.
    for (const seq of ascending(walk([head], mayFollow).keys())) {
      if (starts.has(seq) || depsAt(seq).some((dep) => reached.has(dep.seq))) reached.add(seq)
    }
    return [...reached]
  }

  return {
    isAncestor: (ancestor, descendant) => {
      if (ancestor.seq === descendant.seq) return false
      const mayFollow = (place: Place): boolean => place.seq === ancestor.seq || index.isAncestor(ancestor, place)
      return walk([descendant], mayFollow).has(ancestor.seq)
    },
    findLca: (heads) => findMaximalCommon(graph, budget, heads),
    downset: (heads, afterSeq) =>
      ascending(walk(heads, () => true).keys())
        .filter((seq) => seq > afterSeq)
        .values(),
    between,
  }
}

function ascending(seqs: Iterable<number>): number[] {
  return [...seqs].sort((a, b) => a - b)
}

interface Painted extends Place {
  /** One bit for each head whose past it is in. */
  colours: bigint
  /** Something that has all colours follows it. */
  isBelow: boolean
}

/** Paints the pasts of all heads, the newest first, until all that is left is below what has every colour. */
function findMaximalCommon(graph: DagGraph, budget: WalkBudget, heads: readonly Place[]): readonly Place[] {
  const all = (1n << BigInt(heads.length)) - 1n
  const queue = createSeqHeap<Painted>(-1)
  const waiting = new Map<number, Painted>()
  const found: Place[] = []
  let undecided = 0

  function paint(place: Place, colours: bigint, isBelow: boolean): void {
    const known = waiting.get(place.seq)
    const painted = known ?? { ...place, colours, isBelow }
    if (known === undefined) {
      waiting.set(place.seq, painted)
      queue.push(painted)
      if (!isBelow) undecided += 1
      return
    }
    if (isBelow && !painted.isBelow) undecided -= 1
    painted.isBelow ||= isBelow
    painted.colours |= colours
  }

  heads.forEach((head, at) => paint(head, 1n << BigInt(at), false))
  while (undecided > 0) {
    const at = queue.pop()
    if (at === undefined) break
    budget.spend(1)
    waiting.delete(at.seq)
    if (!at.isBelow) undecided -= 1
    const isCommon = at.colours === all
    if (isCommon && !at.isBelow) found.push({ lane: at.lane, position: at.position, seq: at.seq })
    for (const dep of graph.depsAt(at.seq)) paint(dep, at.colours, at.isBelow || isCommon)
  }
  return found
}
