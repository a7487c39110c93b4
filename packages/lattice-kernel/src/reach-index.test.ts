import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMemoryBlocks } from '../test/memory-blocks.ts'
import { createLaneDag, type LaneDag, type LaneNode, pastsOf } from '../test/reach-dag.ts'
import { createReachIndex, type ReachIndex } from './reach-index.ts'
import type { LanePosition } from './reach-vector.ts'

const RUNS = { numRuns: Number(process.env['LATTICE_REACH_RUNS'] ?? 20) }

/** Few authors make long lanes of many blocks, many make vectors that are not written whole. */
const dags = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  authors: fc.constantFrom(1, 2, 3, 8, 40, 200),
  count: fc.integer({ min: 1, max: 700 }),
  forkEvery: fc.constantFrom(0, 2, 5, 40),
  depsMax: fc.constantFrom(0, 1, 2, 5),
  ackEvery: fc.constantFrom(0, 3, 50),
  recent: fc.constantFrom(1, 5, 100, 10_000),
})

function indexOf({ nodes }: LaneDag): ReachIndex {
  const index = createReachIndex(createMemoryBlocks())
  for (const node of nodes) index.advance(node)
  return index
}

function vectorsOf({ nodes }: LaneDag): readonly (readonly LanePosition[])[] {
  const pasts = pastsOf(nodes)
  return nodes.map((node, at) => {
    const vector = new Map<number, number>([[node.lane, node.position]])
    for (const seq of pasts[at] ?? []) {
      const { lane, position } = nodes[seq - 1] ?? node
      vector.set(lane, Math.max(position, vector.get(lane) ?? -1))
    }
    return [...vector].sort(([a], [b]) => a - b)
  })
}

function expectTrue(
  index: ReachIndex,
  nodes: readonly LaneNode[],
  vectors: readonly (readonly LanePosition[])[],
): void {
  nodes.forEach((node, at) => {
    expect([...index.vectorOf(node)]).toEqual(vectors[at])
    expect(index.seqAt(node.lane, node.position)).toBe(node.seq)
  })
}

describe('a reachability index', () => {
  test('takes from each place below the base what is kept of it, whatever another is known to follow', () => {
    // Of the first it is kept that it follows the second, and not all that follows from that.
    const kept = new Map<number, readonly LanePosition[]>([
      [
        0,
        [
          [0, 5],
          [1, 3],
        ],
      ],
      [
        1,
        [
          [0, 2],
          [1, 3],
          [2, 4],
        ],
      ],
    ])
    const index = createReachIndex(createMemoryBlocks(), {
      isBelow: ({ lane, position }) => position <= (lane === 0 ? 5 : 3),
      seqAt: (lane) => lane + 1,
      vectorAt: ({ lane }) => kept.get(lane) ?? [],
    })
    const causes = [
      { lane: 0, position: 5, seq: 2 },
      { lane: 1, position: 3, seq: 1 },
    ]
    const next = { lane: 0, position: 6, seq: 3, causes }
    index.advance(next)
    expect([...index.vectorOf(next)]).toEqual([
      [0, 6],
      [1, 3],
      [2, 4],
    ])
  })

  test('holds for each intention the highest of each lane among it and all it follows', () => {
    fc.assert(
      fc.property(dags, (options) => {
        const dag = createLaneDag(options)
        expectTrue(indexOf(dag), dag.nodes, vectorsOf(dag))
      }),
      RUNS,
    )
  })

  test('tells who follows whom as a walk over all causes does', () => {
    fc.assert(
      fc.property(dags, fc.boolean(), (options, isCold) => {
        const dag = createLaneDag({ ...options, count: Math.min(options.count, 250) })
        const store = createMemoryBlocks()
        let index = createReachIndex(store)
        for (const node of dag.nodes) index.advance(node)
        index.checkpoint()
        if (isCold) index = createReachIndex(store)
        const pasts = pastsOf(dag.nodes)
        const wrong: string[] = []
        for (const a of dag.nodes) {
          for (const b of dag.nodes) {
            if (index.isAncestor(a, b) !== pasts[b.seq - 1]?.has(a.seq)) wrong.push(`${a.seq} in the past of ${b.seq}`)
          }
        }
        expect(wrong).toEqual([])
      }),
      RUNS,
    )
  })

  test('is the same after any checkpoints, retreats and loads as when it was built at once', () => {
    fc.assert(
      fc.property(dags, fc.integer(), (options, order) => {
        const dag = createLaneDag(options)
        const random = createSeededRandom(order)
        const store = createMemoryBlocks()
        const straight = createMemoryBlocks()
        let index = createReachIndex(store)
        let durable = 0
        for (let at = 0; at < dag.nodes.length; at += 1) {
          const node = dag.nodes[at]
          if (node === undefined) continue
          index.advance(node)
          if (random.below(6) === 0) {
            index.retreat(node)
            index.advance(node)
          }
          if (random.below(20) === 0) {
            index.checkpoint()
            durable = at + 1
          } else if (random.below(40) === 0) {
            if (random.below(2) === 0) index.load()
            else index = createReachIndex(store)
            at = durable - 1
          }
        }
        index.checkpoint()
        const whole = createReachIndex(straight)
        for (const node of dag.nodes) whole.advance(node)
        whole.checkpoint()
        expect(store.contents).toEqual(straight.contents)
        expectTrue(createReachIndex(store), dag.nodes, vectorsOf(dag))
      }),
      RUNS,
    )
  })

  test('a retreat leaves no trace: another intention takes the place', () => {
    fc.assert(
      fc.property(dags, dags, (options, others) => {
        const dag = createLaneDag({ ...options, count: Math.max(3, options.count) })
        const index = createReachIndex(createMemoryBlocks())
        const random = createSeededRandom(others.seed)
        for (const node of dag.nodes) {
          const [prev] = node.causes
          if (prev !== undefined && random.below(3) === 0) {
            // A different merge at the same place is refused, and taken back.
            const other = dag.nodes[random.below(node.seq - 1)]
            const refused = { ...node, causes: other === undefined ? node.causes : [prev, other] }
            index.advance(refused)
            index.retreat(refused)
          }
          index.advance(node)
        }
        expectTrue(index, dag.nodes, vectorsOf(dag))
      }),
      RUNS,
    )
  })
})
