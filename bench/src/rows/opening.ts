/**
 * Row 7: opening a store, however long its history.
 *
 * @module
 */
import { answerOf } from '../child.ts'
import { atMost, type Figure, ratioAtMost } from '../figure.ts'
import { fixtureStore } from '../fixture.ts'
import type { Opened } from '../open-probe.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { against, sampleOf } from '../sample.ts'

/** As far apart as the largest and smallest store may be for the cost to count as constant. */
const FLAT = 1.5
const MAX_RSS_MB = 50

interface Openings {
  readonly count: number
  readonly kernel: readonly Opened[]
  readonly bare: readonly Opened[]
}

async function probe(kind: 'kernel' | 'bare', directory: string): Promise<Opened> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The probe answers with nothing else.
  return (await answerOf('open-probe.ts', { args: [kind, directory] })) as Opened
}

async function openings(context: RowContext, count: number): Promise<Openings> {
  const { directory } = await fixtureStore(context, count)
  const [kernel, bare]: [Opened[], Opened[]] = [[], []]
  for (let turn = 0; turn < context.warmUps + context.repeats; turn += 1) {
    const [bareAnswer, kernelAnswer] = [await probe('bare', directory), await probe('kernel', directory)]
    if (turn < context.warmUps) continue
    bare.push(bareAnswer)
    kernel.push(kernelAnswer)
  }
  return { count, kernel, bare }
}

function figuresOf({ count, kernel, bare }: Openings): readonly Figure[] {
  const of = (from: readonly Opened[], pick: (opened: Opened) => number) => sampleOf(from.map(pick))
  const first = { name: 'SQLite opening both files, first in its process', sample: of(bare, ({ firstMs }) => firstMs) }
  const warm = { name: 'SQLite opening both files, warm', sample: of(bare, ({ warmMs }) => warmMs) }
  return [
    {
      name: `open ${count}, first in a process`,
      unit: 'ms',
      ...against(
        first,
        of(kernel, ({ firstMs }) => firstMs),
      ),
      goals: [ratioAtMost(2)],
    },
    {
      name: `open ${count}, warm`,
      unit: 'ms',
      ...against(
        warm,
        of(kernel, ({ warmMs }) => warmMs),
      ),
      goals: [ratioAtMost(2)],
    },
    {
      name: `memory of open ${count}`,
      unit: 'MB',
      ours: of(kernel, ({ rssMb }) => rssMb),
      goals: [atMost(MAX_RSS_MB)],
    },
    {
      name: `first fingerprint of ${count}`,
      unit: 'ms',
      ours: of(kernel, ({ rangeIndexMs }) => rangeIndexMs),
      goals: [],
    },
    {
      name: `memory of the range index of ${count}`,
      unit: 'MB',
      ours: of(kernel, ({ rangeIndexRssMb }) => rangeIndexRssMb),
      goals: [atMost(MAX_RSS_MB)],
    },
  ]
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const sizes = context.quick ? [1_000, 10_000, 100_000] : [10_000, 100_000, 1_000_000]
  const measured: Openings[] = []
  for (const count of sizes) measured.push(await openings(context, count))
  const [smallest, largest] = [measured[0], measured.at(-1)]
  const figures = measured.flatMap(figuresOf)
  if (smallest === undefined || largest === undefined) return figures
  const warmMs = (opened: Opened): number => opened.warmMs
  const growth = against(
    { name: `opening the store of ${smallest.count}, warm`, sample: sampleOf(smallest.kernel.map(warmMs)) },
    sampleOf(largest.kernel.map(warmMs)),
  )
  return [
    ...figures,
    { name: `flat from ${smallest.count} to ${largest.count}`, unit: 'ms', ...growth, goals: [ratioAtMost(FLAT)] },
  ]
}

export const OPENING_ROW: BenchRow = {
  id: '7',
  task: 'Opening a store of any length',
  floor: 'opening the bare databases',
  goal: 'at most 2 times the floor, 50 MB more memory, both flat',
  run,
}
