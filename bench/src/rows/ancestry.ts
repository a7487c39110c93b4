/**
 * Row 11: whether one intention is an ancestor of another, where two parted, and what knowing it takes on disk.
 *
 * @module
 */
import { join } from 'node:path'
import { assert, type IntentionId, MAX_RUN_LENGTH } from '@lattice/model'
import type { Kernel } from '@lattice/kernel'
import Sqlite from 'better-sqlite3'
import { groupsOf } from '../bare-store.ts'
import { atMost, type Figure } from '../figure.ts'
import { type Fixture, FIXTURE_AUTHORS, fixtureStore } from '../fixture.ts'
import { createHistory, type HistoryOptions } from '../history.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { measure, sampleOf } from '../sample.ts'
import { ingestAll, openStore } from '../store.ts'
import { createDice } from '../world.ts'

/** So near are intentions of which neither may be the ancestor. */
const NEAR = 100
/** Queries of one measurement end after this long. */
const MAX_MS = 2_000
/** Looked at together: reading the clock is not what is measured. */
const CHUNK = 10
/** Questions to a store that was just opened: few enough that they rarely meet. */
const COLD_PAIRS = 500
/** Intentions taken in at once. */
const BATCH: number = 8 * MAX_RUN_LENGTH

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
}

function ask(kernel: Kernel, all: readonly Pair[]): Asked {
  let [asked, longest] = [0, 0]
  const startedMs = performance.now()
  let lastMs = startedMs
  for (const [ancestor, descendant] of all) {
    kernel.isAncestor(ancestor, descendant)
    asked += 1
    if (asked % CHUNK > 0) continue
    const nowMs = performance.now()
    longest = Math.max(longest, ((nowMs - lastMs) * 1000) / CHUNK)
    lastMs = nowMs
    if (nowMs - startedMs > MAX_MS) break
  }
  return { mean: ((performance.now() - startedMs) * 1000) / asked, longest }
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
  return [
    { name, unit: 'µs', ours, goals: [atMost(20)] },
    {
      name: `${name}: worst ${CHUNK}, on average`,
      unit: 'µs',
      ours: sampleOf(answers.map(({ longest }) => longest)),
      goals: [],
    },
  ]
}

/** In a store opened for it, each question about places not looked at before. */
async function coldFigure(context: RowContext, { directory, storeId, witnessCount }: Fixture): Promise<Figure> {
  const ours = await measure(async () => {
    await using store = await openStore({ directory, storeId, open: true })
    return ask(store.kernel, pairs(store.kernel, COLD_PAIRS, witnessCount)).mean
  }, context)
  return { name: `the first ${COLD_PAIRS} after opening, any two`, unit: 'µs', ours, goals: [] }
}

async function commonFigure(kernel: Kernel, context: RowContext, distance: number): Promise<Figure> {
  const all = pairs(kernel, context.size(2_000, 500), distance)
  const ours = await measure(() => {
    const startedMs = performance.now()
    for (const pair of all) kernel.findLca(pair)
    return ((performance.now() - startedMs) * 1000) / all.length
  }, context)
  return { name: `all maximal common ancestors of two within ${distance}`, unit: 'µs', ours, goals: [] }
}

/** What the index of a closed store takes, its share of pages included. */
async function diskFigure(context: RowContext, name: string, options: HistoryOptions): Promise<Figure> {
  const count = context.size(100_000, 20_000)
  const directory = context.folder()
  const history = createHistory(options)
  {
    await using store = await openStore({ directory, ...history, open: true })
    await ingestAll(store.kernel, groupsOf(history.next(count), BATCH))
  }
  const database = new Sqlite(join(directory, 'log.db'), { readonly: true })
  const bytes: unknown = database.prepare("SELECT sum(pgsize) FROM dbstat WHERE name = 'reach_blocks'").pluck().get()
  database.close()
  return { name: `index on disk by intention: ${name}`, unit: 'B', ours: sampleOf([Number(bytes) / count]), goals: [] }
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const fixture = await fixtureStore(context, context.size(1_000_000, 100_000))
  const { directory, storeId, witnessCount } = fixture
  const cold = await coldFigure(context, fixture)
  await using store = await openStore({ directory, storeId, open: true })
  const { kernel } = store
  return [
    ...(await figuresFor(kernel, { context, name: `any two of ${witnessCount}`, distance: witnessCount })),
    ...(await figuresFor(kernel, { context, name: `two within ${NEAR}`, distance: NEAR })),
    cold,
    await commonFigure(kernel, context, NEAR),
    await diskFigure(context, 'one author', { runLength: MAX_RUN_LENGTH }),
    await diskFigure(context, `${FIXTURE_AUTHORS} authors in turn, each citing the newest`, {
      authors: FIXTURE_AUTHORS,
      runLength: 1,
      citesNewest: true,
    }),
  ]
}

export const ANCESTRY_ROW: BenchRow = {
  id: '11',
  task: `isAncestor among ${FIXTURE_AUTHORS} authors`,
  floor: 'none',
  goal: 'at most 20 µs',
  run,
}
