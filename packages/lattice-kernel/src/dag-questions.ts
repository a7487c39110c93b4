/**
 * Questions about the DAG of what is witnessed, by id.
 *
 * Every answer is a fact of the DAG and the same on every node; where there are several ids, sets are sorted and pasts are
 * in this node's witness order, causes first. A question has a budget of records to look at and ends with `WalkTooLong`
 * beyond it; an id that is not witnessed here ends it with `UnknownIntention`.
 *
 * @module
 */
import { compareBytes, type IntentionId } from '@lattice/model'
import { createAllWalks } from './dag-all.ts'
import { createCausalWalks } from './dag-causal.ts'
import { createWalkBudget, type DagEdges, type DagGraph, type DagWalks } from './dag-graph.ts'
import { UnknownIntention } from './errors.ts'
import type { Place } from './reach-vector.ts'

export interface DagOptions {
  /** Which causes count: all unless told. */
  readonly edges?: DagEdges
  /** Records that the question may look at: 100,000 unless told. */
  readonly budget?: number
}

export interface DownsetOptions extends DagOptions {
  /** Goes on after this seq, where a page before ended. */
  readonly afterSeq?: number
  /** At most so many: 4,096 unless told. */
  readonly limit?: number
}

export interface DownsetPage {
  /** In witness order. */
  readonly ids: readonly IntentionId[]
  /** Where the next page begins; undefined at the end. */
  readonly afterSeq: number | undefined
}

export interface InspectOptions extends DagOptions {
  /** At most so many ids of each branch: 4,096 unless told. */
  readonly limit?: number
}

export interface BranchInspection {
  /** The maximal common ancestors of all heads. Sorted. */
  readonly lcas: readonly IntentionId[]
  readonly branches: readonly {
    readonly head: IntentionId
    /** How many lie between any of them and the head, both included. */
    readonly count: number
    /** The last of these, in witness order. */
    readonly ids: readonly IntentionId[]
  }[]
}

export interface DagQuestions {
  /** True when `ancestor` is among the causes of `descendant`, at any distance. None is its own ancestor. */
  readonly isAncestor: (ancestor: IntentionId, descendant: IntentionId, options?: DagOptions) => boolean
  /** All maximal common ancestors, a head included that all others follow: several after a criss-cross merge. Sorted. */
  readonly findLca: (heads: readonly IntentionId[], options?: DagOptions) => readonly IntentionId[]
  /** What follows `from` in the past of `head`, the head included, in witness order; nothing if it does not follow. */
  readonly path: (from: IntentionId, head: IntentionId, options?: DagOptions) => readonly IntentionId[]
  /** The past of the heads, themselves included, in witness order. */
  readonly downset: (heads: readonly IntentionId[], options?: DownsetOptions) => DownsetPage
  readonly inspectBranch: (heads: readonly IntentionId[], options?: InspectOptions) => BranchInspection
}

export interface DagQuestionsDeps {
  readonly graph: DagGraph
  readonly find: (id: IntentionId) => Place | undefined
  readonly idAt: (seq: number) => IntentionId
}

/** Records that one question may look at: about a second. */
export const WALK_BUDGET = 100_000
/** Ids of one page. */
export const DAG_PAGE_MAX = 4096

export function createDagQuestions({ graph, find, idAt }: DagQuestionsDeps): DagQuestions {
  function placeOf(id: IntentionId): Place {
    const place = find(id)
    if (place === undefined) throw new UnknownIntention(id)
    return place
  }

  function walksFor({ edges = 'all', budget = WALK_BUDGET }: DagOptions): DagWalks {
    const counted = createWalkBudget(budget)
    return edges === 'all' ? createAllWalks(graph, counted) : createCausalWalks(graph, counted)
  }

  const sortedIds = (places: readonly Place[]): IntentionId[] => places.map(({ seq }) => idAt(seq)).sort(compareBytes)

  return {
    isAncestor: (ancestor, descendant, options = {}) =>
      walksFor(options).isAncestor(placeOf(ancestor), placeOf(descendant)),
    findLca: (heads, options = {}) => sortedIds(walksFor(options).findLca(distinct(heads.map(placeOf)))),
    path: (from, head, options = {}) => {
      const start = placeOf(from)
      const seqs = walksFor(options).between([start], placeOf(head))
      return seqs.filter((seq) => seq !== start.seq).map(idAt)
    },
    downset: (heads, options = {}) => {
      const limit = pageOf(options.limit)
      const ids: IntentionId[] = []
      let last: number | undefined
      for (const seq of walksFor(options).downset(distinct(heads.map(placeOf)), options.afterSeq ?? 0)) {
        if (ids.length === limit) return { ids, afterSeq: last }
        ids.push(idAt(seq))
        last = seq
      }
      return { ids, afterSeq: undefined }
    },
    inspectBranch: (heads, options = {}) => {
      const places = distinct(heads.map(placeOf))
      const walks = walksFor(options)
      const lcas = walks.findLca(places)
      const limit = pageOf(options.limit)
      const branches = places.map((head) => {
        const seqs = walks.between(lcas, head)
        return { head: idAt(head.seq), count: seqs.length, ids: seqs.slice(-limit).map(idAt) }
      })
      return { lcas: sortedIds(lcas), branches }
    },
  }
}

function pageOf(limit = DAG_PAGE_MAX): number {
  return Math.max(1, Math.min(limit, DAG_PAGE_MAX))
}

/** Each once, in the order of their first mention. */
function distinct(places: readonly Place[]): readonly Place[] {
  return [...new Map(places.map((place) => [place.seq, place])).values()]
}
