/**
 * Row 11: whether one intention is an ancestor of another.
 *
 * @module
 */
import { assert, type IntentionId } from '@lattice/model'
import type { Kernel } from '@lattice/kernel'
import { atMost, type Figure } from '../figure.ts'
import { FIXTURE_AUTHORS, fixtureStore } from '../fixture.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { measure, sampleOf } from '../sample.ts'
import { openStore } from '../store.ts'
import { createDice } from '../world.ts'

/** So near are intentions of which neither may be the ancestor. */
const NEAR = 100
/** Queries of one measurement end after this long. */
const MAX_MS = 2_000
/** Looked at together: reading the clock is not what is measured. */
const CHUNK = 10

type Pair = readonly [IntentionId, IntentionId]

function idAt(kernel: Kernel, seq: number): IntentionId {
  const [entry] = kernel.scanWitness(seq, 1)
  assert(entry !== undefined, 'every seq has a record')
  return entry.parsed.id
}

function pairs(kernel: Kernel, count: number, distance: number): readonly Pair[] {
  const dice = createDice(13)
  const { witnessCount } = kernel.stats()
  return Array.from({ length: count }, () => {
    const newer = 2 + dice(witnessCount - 2)
    const older = Math.max(1, newer - 1 - dice(Math.min(distance, newer - 1)))
    return [idAt(kernel, older), idAt(kernel, newer)]
  })
}

interface Asked {
  /** In microseconds. */
  readonly mean: number
  readonly longest: number
  readonly refused: number
  readonly asked: number
}

function ask(kernel: Kernel, all: readonly Pair[]): Asked {
  let [asked, refused, longest] = [0, 0, 0]
  const startedMs = performance.now()
  let lastMs = startedMs
  for (const [ancestor, descendant] of all) {
    try {
      kernel.isAncestor(ancestor, descendant)
    } catch {
      refused += 1
    }
    asked += 1
    if (asked % CHUNK > 0) continue
    const nowMs = performance.now()
    longest = Math.max(longest, ((nowMs - lastMs) * 1000) / CHUNK)
    lastMs = nowMs
    if (nowMs - startedMs > MAX_MS) break
  }
  return { mean: ((performance.now() - startedMs) * 1000) / asked, longest, refused, asked }
}

async function figuresFor(
  kernel: Kernel,
  { context, name, distance }: { readonly context: RowContext; readonly name: string; readonly distance: number },
): Promise<readonly Figure[]> {
  const all = pairs(kernel, context.size(5_000, 1_000), distance)
  const answers: Asked[] = []
  const ours = await measure(() => {
    const asked = ask(kernel, all)
    answers.push(asked)
    return asked.mean
  }, context)
  const sum = (pick: (asked: Asked) => number): number => answers.reduce((total, asked) => total + pick(asked), 0)
  const refused = sum(({ refused: count }) => count)
  const note = refused > 0 ? `${refused} of ${sum(({ asked }) => asked)} were refused for their length` : undefined
  return [
    { name, unit: 'µs', ours, goals: [atMost(20)], ...(note !== undefined && { note }) },
    {
      name: `${name}: worst ${CHUNK}, on average`,
      unit: 'µs',
      ours: sampleOf(answers.map(({ longest }) => longest)),
      goals: [],
    },
  ]
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const { directory, storeId, witnessCount } = await fixtureStore(context, context.size(1_000_000, 100_000))
  await using store = await openStore({ directory, storeId, open: true })
  const { kernel } = store
  return [
    ...(await figuresFor(kernel, { context, name: `any two of ${witnessCount}`, distance: witnessCount })),
    ...(await figuresFor(kernel, { context, name: `two within ${NEAR}`, distance: NEAR })),
  ]
}

export const ANCESTRY_ROW: BenchRow = {
  id: '11',
  task: `isAncestor among ${FIXTURE_AUTHORS} authors`,
  floor: 'none',
  goal: 'at most 20 µs',
  run,
}
