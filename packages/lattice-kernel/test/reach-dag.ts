/**
 * Random histories as lanes and places alone, with forks of forks, criss-cross merges and wide acks, and what is true of
 * them, found by walking.
 *
 * @module
 */
import { createSeededRandom, type SeededRandom } from '@lattice/model/testing'
import type { ReachNode } from '../src/reach-index.ts'
import type { Place } from '../src/reach-vector.ts'

export interface LaneDagOptions {
  readonly seed: number
  readonly authors: number
  readonly count: number
  /** One in so many goes on from an older one of its author; never when 0. */
  readonly forkEvery?: number
  /** Deps of a write are up to so many. */
  readonly depsMax?: number
  /** One in so many cites the end of every lane; never when 0. */
  readonly ackEvery?: number
  /** How many of the last records a dep is drawn from. */
  readonly recent?: number
}

/** A record with what it cites, by seq. `causes` of the index are of all kinds, `deps` the causal ones alone. */
export interface LaneNode extends ReachNode {
  readonly generation: number
  readonly deps: readonly Place[]
}

export interface LaneDag {
  readonly nodes: readonly LaneNode[]
  /** Where the first intention of each lane stands. */
  readonly firsts: readonly number[]
}

/** Gives each intention its lane, as the log does. */
export function createLaneAssigner(): {
  readonly place: (prev: Place | undefined) => Place
  readonly heads: () => readonly Place[]
  readonly firsts: readonly number[]
} {
  const heads: Place[] = []
  const firsts: number[] = []
  let seq = 0
  return {
    heads: () => heads,
    firsts,
    place: (prev) => {
      seq += 1
      const position = prev === undefined ? 0 : prev.position + 1
      // The genesis is a lane of its own: every author's first opens another.
      const goesOn = prev !== undefined && prev.lane > 0 && heads[prev.lane]?.seq === prev.seq
      const lane = goesOn ? prev.lane : heads.length
      if (!goesOn) firsts.push(position)
      const place = { lane, position, seq }
      heads[lane] = place
      return place
    },
  }
}

export function createLaneDag(options: LaneDagOptions): LaneDag {
  const random = createSeededRandom(options.seed)
  const lanes = createLaneAssigner()
  const genesis: LaneNode = { ...lanes.place(undefined), generation: 0, causes: [], deps: [] }
  const nodes: LaneNode[] = [genesis]
  const own: LaneNode[][] = Array.from({ length: options.authors }, () => [genesis])
  while (nodes.length < options.count) {
    const chain = own[random.below(own.length)] ?? []
    const prev = prevIn(chain, options, random) ?? genesis
    const deps = depsFor(options, { nodes, heads: lanes.heads(), random })
    const others = deps.filter(({ seq }) => seq !== prev.seq)
    const causes = [prev, ...others]
    const generation = 1 + Math.max(...causes.map(({ seq }) => nodes[seq - 1]?.generation ?? 0))
    const node: LaneNode = { ...lanes.place(prev), generation, causes, deps }
    nodes.push(node)
    chain.push(node)
  }
  return { nodes, firsts: lanes.firsts }
}

function prevIn(
  chain: readonly LaneNode[],
  { forkEvery = 0 }: LaneDagOptions,
  random: SeededRandom,
): LaneNode | undefined {
  if (forkEvery === 0 || random.below(forkEvery) > 0) return chain.at(-1)
  return chain[random.below(chain.length)]
}

interface Made {
  readonly nodes: readonly LaneNode[]
  readonly heads: readonly Place[]
  readonly random: SeededRandom
}

function depsFor({ depsMax = 2, ackEvery = 0, recent }: LaneDagOptions, made: Made): readonly Place[] {
  const { nodes, heads, random } = made
  if (ackEvery > 0 && random.below(ackEvery) === 0) return [...heads]
  const deps = new Map<number, Place>()
  for (let count = random.below(depsMax + 1); count > 0; count -= 1) {
    const span = Math.min(nodes.length, recent ?? nodes.length)
    const dep = nodes[nodes.length - 1 - random.below(span)]
    if (dep !== undefined) deps.set(dep.seq, dep)
  }
  return [...deps.values()]
}

/** For each record the seqs of all it follows, found by walking along the given edges. */
export function pastsOf(
  nodes: readonly LaneNode[],
  edgesOf: (node: LaneNode) => readonly Place[] = ({ causes }) => causes,
): readonly ReadonlySet<number>[] {
  const pasts: Set<number>[] = []
  for (const node of nodes) {
    const past = new Set<number>()
    for (const { seq } of edgesOf(node)) {
      past.add(seq)
      for (const older of pasts[seq - 1] ?? []) past.add(older)
    }
    pasts.push(past)
  }
  return pasts
}
