/**
 * Repeated measurements: warmed up, in pairs with their floor, summed up as median and spread.
 *
 * A machine drifts while it is measured. Ours and the floor are therefore taken in turn, and the ratio is the median of
 * the ratios of neighbours, so that what slows both down cancels.
 *
 * @module
 */

export interface Sample {
  readonly median: number
  /** Half of the range, as a share of the median. */
  readonly spread: number
  readonly values: readonly number[]
}

/** Takes one measurement: a rate, a duration or a size. */
export type Measure = () => number | Promise<number>

/** How often: the first runs compile the code and fill the caches, and are not counted. */
export interface Repeats {
  readonly warmUps: number
  readonly repeats: number
}

export interface Floor {
  readonly name: string
  readonly sample: Sample
}

/** The part of a figure that measuring gives. A ratio is always ours divided by the floor. */
export interface Measured {
  readonly ours: Sample
  readonly floor: Floor
  /** The median over pairs that were measured one after the other, where they were; else that of the medians. */
  readonly ratio: number
}

export function sampleOf(values: readonly number[]): Sample {
  const median = medianOf(values)
  const range = Math.max(...values) - Math.min(...values)
  return { median, spread: median === 0 ? 0 : range / 2 / median, values }
}

export async function measure(work: Measure, { warmUps, repeats }: Repeats): Promise<Sample> {
  const values: number[] = []
  for (let turn = 0; turn < warmUps + repeats; turn += 1) {
    globalThis.gc?.()
    const value = await work()
    if (turn >= warmUps) values.push(value)
  }
  return sampleOf(values)
}

/** Measures ours and its floor in turn. */
export async function measureAgainst(
  floor: { readonly name: string; readonly work: Measure },
  ours: Measure,
  { warmUps, repeats }: Repeats,
): Promise<Measured> {
  const [ourValues, floorValues]: [number[], number[]] = [[], []]
  for (let turn = 0; turn < warmUps + repeats; turn += 1) {
    globalThis.gc?.()
    const floorValue = await floor.work()
    globalThis.gc?.()
    const ourValue = await ours()
    if (turn < warmUps) continue
    floorValues.push(floorValue)
    ourValues.push(ourValue)
  }
  return against({ name: floor.name, sample: sampleOf(floorValues) }, sampleOf(ourValues))
}

/** Puts a sample beside a floor that was taken in the same run. */
export function against(floor: Floor, ours: Sample): Measured {
  const pairs = ours.values.length === floor.sample.values.length
  const ratio = pairs
    ? medianOf(ours.values.map((value, index) => value / (floor.sample.values[index] ?? floor.sample.median)))
    : ours.median / floor.sample.median
  return { ours, floor, ratio }
}

/** How many a second, for `count` in what `work` takes. */
export async function rateOf(count: number, work: () => void | Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return (count / (performance.now() - startedMs)) * 1000
}

/** {@link rateOf} without a turn of the event loop in it. */
export function rateOfSync(count: number, work: () => void): number {
  const startedMs = performance.now()
  work()
  return (count / (performance.now() - startedMs)) * 1000
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}
