import { compareBytes, type IntentionId, toIntentionId } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMemoryBlocks } from '../test/memory-blocks.ts'
import { createLaneAssigner, createLaneDag, type LaneDag, type LaneNode, pastsOf } from '../test/reach-dag.ts'
import type { DagEdges } from './dag-graph.ts'
import { createDagQuestions, type DagQuestions } from './dag-questions.ts'
import { createReachIndex } from './reach-index.ts'
import type { Place } from './reach-vector.ts'

const RUNS = { numRuns: Number(process.env['LATTICE_REACH_RUNS'] ?? 60) }

const dags = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  authors: fc.constantFrom(1, 2, 3, 8, 40),
  count: fc.integer({ min: 1, max: 250 }),
  forkEvery: fc.constantFrom(0, 2, 5, 40),
  depsMax: fc.constantFrom(0, 1, 2, 5),
  ackEvery: fc.constantFrom(0, 3, 50),
  recent: fc.constantFrom(1, 5, 100, 10_000),
})
const edgeKinds = fc.constantFrom<DagEdges>('all', 'causal')

/** An id whose order has nothing to do with the seq. */
function idOf(seq: number): IntentionId {
  const bytes = new Uint8Array(32)
  new DataView(bytes.buffer).setUint32(0, Math.imul(seq, 0x9e3779b1))
  new DataView(bytes.buffer).setUint32(28, seq)
  return toIntentionId(bytes)
}

function seqOf(id: IntentionId): number {
  return new DataView(id.buffer, id.byteOffset).getUint32(28)
}

function questionsOver({ nodes, firsts }: LaneDag): DagQuestions {
  const index = createReachIndex(createMemoryBlocks())
  for (const node of nodes) index.advance(node)
  return createDagQuestions({
    graph: {
      index,
      firstPosition: (lane) => firsts[lane] ?? 0,
      depsAt: (seq) => nodes[seq - 1]?.deps ?? [],
    },
    find: (id) => nodes[seqOf(id) - 1],
    idAt: idOf,
  })
}

interface Oracle {
  /** In the past of it, or itself. */
  readonly holds: (of: number, seq: number) => boolean
  readonly all: readonly number[]
}

function oracleOf({ nodes }: LaneDag, edges: DagEdges): Oracle {
  const pasts = pastsOf(nodes, (node) => (edges === 'all' ? node.causes : node.deps))
  return { holds: (of, seq) => of === seq || pasts[of - 1]?.has(seq) === true, all: nodes.map(({ seq }) => seq) }
}

function lcasBy({ holds, all }: Oracle, heads: readonly number[]): readonly number[] {
  const common = all.filter((seq) => heads.every((head) => holds(head, seq)))
  return common.filter((seq) => !common.some((other) => other !== seq && holds(other, seq)))
}

function sorted(seqs: readonly number[]): readonly IntentionId[] {
  return seqs.map(idOf).sort(compareBytes)
}

function someHeads(dag: LaneDag, pick: number): readonly number[] {
  const random = createSeededRandom(pick)
  return Array.from({ length: 1 + random.below(4) }, () => 1 + random.below(dag.nodes.length))
}

describe('questions about the DAG', () => {
  test('answer as walks that look at everything do, over either kind of edges', () => {
    fc.assert(
      fc.property(dags, fc.integer(), edgeKinds, (options, pick, edges) => {
        const dag = createLaneDag(options)
        const questions = questionsOver(dag)
        const oracle = oracleOf(dag, edges)
        const { holds, all } = oracle
        const heads = someHeads(dag, pick)
        const ids = heads.map(idOf)
        const lcas = lcasBy(oracle, heads)
        expect(questions.findLca(ids, { edges })).toEqual(sorted(lcas))
        expect(questions.downset(ids, { edges })).toEqual({
          ids: all.filter((seq) => heads.some((head) => holds(head, seq))).map(idOf),
          afterSeq: undefined,
        })
        const [from = 1, head = from] = heads
        expect(questions.isAncestor(idOf(from), idOf(head), { edges })).toBe(from !== head && holds(head, from))
        const between = all.filter((seq) => seq !== from && holds(head, seq) && holds(seq, from))
        expect(questions.path(idOf(from), idOf(head), { edges }).map(seqOf)).toEqual(between)
        expect(questions.inspectBranch(ids, { edges })).toEqual({
          lcas: sorted(lcas),
          branches: [...new Set(heads)].map((end) => {
            const branch = all.filter((seq) => holds(end, seq) && lcas.some((lca) => holds(seq, lca)))
            return { head: idOf(end), count: branch.length, ids: branch.map(idOf) }
          }),
        })
      }),
      RUNS,
    )
  })

  test('give a past in pages that join without a gap', () => {
    fc.assert(
      fc.property(dags, fc.integer(), fc.integer({ min: 1, max: 50 }), edgeKinds, (options, pick, limit, edges) => {
        const dag = createLaneDag(options)
        const questions = questionsOver(dag)
        const heads = someHeads(dag, pick).map(idOf)
        const paged: IntentionId[] = []
        let afterSeq: number | undefined = 0
        while (afterSeq !== undefined) {
          const page = questions.downset(heads, { edges, limit, afterSeq })
          expect(page.ids.length).toBeLessThanOrEqual(limit)
          paged.push(...page.ids)
          ;({ afterSeq } = page)
        }
        expect(paged).toEqual(questions.downset(heads, { edges }).ids)
      }),
      RUNS,
    )
  })

  /** Two authors that twice merge each other's last two: both of the first merge are maximal for the second. */
  function crissCross(): { readonly dag: LaneDag; readonly named: Readonly<Record<string, LaneNode>> } {
    const lanes = createLaneAssigner()
    const nodes: LaneNode[] = []
    const add = (prev?: Place, ...deps: readonly Place[]): LaneNode => {
      const place = lanes.place(prev)
      const causes = prev === undefined ? [] : [prev, ...deps]
      const node = { ...place, generation: place.seq, causes, deps: prev === undefined ? [] : [prev, ...deps] }
      nodes.push(node)
      return node
    }
    const genesis = add()
    const [a1, b1] = [add(genesis), add(genesis)]
    const [a2, b2] = [add(a1, b1), add(b1, a1)]
    const [a3, b3] = [add(a2), add(b2)]
    return { dag: { nodes, firsts: lanes.firsts }, named: { genesis, a1, b1, a2, b2, a3, b3 } }
  }

  test('name both ancestors of a criss-cross merge, and the branches from them', () => {
    const { dag, named } = crissCross()
    const id = (name: string): IntentionId => idOf(named[name]?.seq ?? 0)
    for (const edges of ['all', 'causal'] as const) {
      const { lcas, branches } = questionsOver(dag).inspectBranch([id('a3'), id('b3')], { edges })
      expect(lcas).toEqual([id('a1'), id('b1')].sort(compareBytes))
      expect(branches).toEqual([
        { head: id('a3'), count: 4, ids: ['a1', 'b1', 'a2', 'a3'].map(id) },
        { head: id('b3'), count: 4, ids: ['a1', 'b1', 'b2', 'b3'].map(id) },
      ])
    }
  })

  test('name as many of a branch as are asked for, the last ones', () => {
    const { dag } = crissCross()
    const [branch] = questionsOver(dag).inspectBranch([idOf(6), idOf(7)], { limit: 2 }).branches
    expect(branch).toEqual({ head: idOf(6), count: 4, ids: [idOf(4), idOf(6)] })
  })

  test('of one head name itself; of none, nothing', () => {
    const { dag } = crissCross()
    const questions = questionsOver(dag)
    expect(questions.inspectBranch([])).toEqual({ lcas: [], branches: [] })
    expect(questions.inspectBranch([idOf(5)])).toEqual({
      lcas: [idOf(5)],
      branches: [{ head: idOf(5), count: 1, ids: [idOf(5)] }],
    })
    expect(questions.findLca([idOf(2), idOf(4)])).toEqual([idOf(2)])
  })

  test('end with a typed error when they would look at too much, or name what is not here', () => {
    const dag = createLaneDag({ seed: 7, authors: 3, count: 400, ackEvery: 1 })
    const questions = questionsOver(dag)
    const ends = [398, 399, 400].map(idOf)
    const tooLong = expect.objectContaining({ code: 'LIMIT_EXCEEDED', name: 'WalkTooLong' })
    for (const edges of ['all', 'causal'] as const) {
      expect(() => questions.findLca(ends, { edges, budget: 2 })).toThrow(tooLong)
      expect(() => questions.path(idOf(1), idOf(400), { edges, budget: 100 })).toThrow(tooLong)
      expect(() => questions.inspectBranch(ends, { edges, budget: 2 })).toThrow(tooLong)
    }
    expect(() => questions.isAncestor(idOf(1), idOf(400), { edges: 'causal', budget: 2 })).toThrow(tooLong)
    expect(() => questions.downset(ends, { edges: 'causal', budget: 100 })).toThrow(tooLong)
    const unknown = expect.objectContaining({ code: 'INTENTION_NOT_FOUND', name: 'UnknownIntention' })
    expect(() => questions.isAncestor(idOf(1), idOf(401))).toThrow(unknown)
    expect(() => questions.findLca([idOf(1), idOf(401)])).toThrow(unknown)
    expect(() => questions.path(idOf(401), idOf(1))).toThrow(unknown)
    expect(() => questions.downset([idOf(401)])).toThrow(unknown)
    expect(() => questions.inspectBranch([idOf(401)])).toThrow(unknown)
  })
})
