import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMemoryBlocks, type MemoryBlocks } from '../test/memory-blocks.ts'
import { createLaneDag, type LaneDag } from '../test/reach-dag.ts'
import { createReachCheck, type ReachProblem } from './reach-check.ts'
import { createReachIndex } from './reach-index.ts'

const RUNS = { numRuns: Number(process.env['LATTICE_REACH_RUNS'] ?? 30) }

const dags = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  authors: fc.constantFrom(1, 3, 20, 150),
  count: fc.integer({ min: 1, max: 500 }),
  forkEvery: fc.constantFrom(0, 4, 40),
  depsMax: fc.constantFrom(0, 2),
  ackEvery: fc.constantFrom(0, 7),
  recent: fc.constantFrom(5, 10_000),
})

function storedOf({ nodes }: LaneDag): MemoryBlocks {
  const blocks = createMemoryBlocks()
  const index = createReachIndex(blocks)
  for (const node of nodes) index.advance(node)
  index.checkpoint()
  return blocks
}

/** Checks from a seq on, comparing every so many records. */
function problemsOf(
  { nodes }: LaneDag,
  blocks: MemoryBlocks,
  { from = 1, page = 64 }: { from?: number; page?: number },
): readonly ReachProblem[] {
  const check = createReachCheck(blocks, { fromSeq: from })
  const found: ReachProblem[] = []
  nodes.slice(from - 1).forEach((node, at, all) => {
    check.follow(node)
    const isHead = at === all.length - 1
    if (isHead || at % page === page - 1) found.push(...check.compare(isHead))
  })
  return found
}

describe('a check of the reachability index', () => {
  test('finds nothing in what the log says, wherever it begins and however often it compares', () => {
    fc.assert(
      fc.property(dags, fc.nat(), fc.integer({ min: 1, max: 200 }), (options, start, page) => {
        const dag = createLaneDag(options)
        expect(problemsOf(dag, storedOf(dag), { from: 1 + (start % dag.nodes.length), page })).toEqual([])
      }),
      RUNS,
    )
  })

  test('finds every byte that is changed, added or gone, and every block that is missing', () => {
    fc.assert(
      fc.property(dags, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (options, pick, offset, flip) => {
        const dag = createLaneDag(options)
        const blocks = storedOf(dag)
        const keys = [...blocks.contents.keys()]
        const [lane = 0, block = 0] = (keys[pick % keys.length] ?? '').split('/').map(Number)
        const bytes = blocks.read(lane, block) ?? new Uint8Array(1)
        const changed = bytes.slice()
        changed[offset % changed.length] = (changed[offset % changed.length] ?? 0) ^ flip
        for (const wrong of [changed, bytes.slice(0, -1), Uint8Array.of(...bytes, 0, 0), undefined]) {
          if (wrong === undefined) blocks.remove(lane, block)
          else blocks.write(lane, block, wrong)
          expect(outcomeOf(() => problemsOf(dag, blocks, {}))).toBe('found')
        }
      }),
      RUNS,
    )
  })
})

/** A problem may be told, or be in the way of the check itself. */
function outcomeOf(check: () => readonly ReachProblem[]): 'found' | 'nothing' {
  try {
    return check().length > 0 ? 'found' : 'nothing'
  } catch {
    return 'found'
  }
}
