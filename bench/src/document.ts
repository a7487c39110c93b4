/**
 * Results as one JSON document, and which of them miss their goals.
 *
 * @module
 */
import { type Figure, verdictOf } from './figure.ts'
import type { Machine } from './machine.ts'
import type { BenchRow } from './row.ts'

export interface RowResult {
  readonly row: BenchRow
  readonly figures: readonly Figure[]
  /** The row broke off: a mistake of the benchmark or of what it measures. */
  readonly failure?: string
}

/** Grows with every change that a reader of the document would notice. */
const FORMAT_VERSION = 1

export function documentOf(
  results: readonly RowResult[],
  { quick, machine }: { readonly quick: boolean; readonly machine: Machine },
): unknown {
  return {
    formatVersion: FORMAT_VERSION,
    takenAt: new Date().toISOString(),
    mode: quick ? 'quick' : 'full',
    machine,
    rows: results.map(({ row: { id, task, floor, goal }, figures, failure }) => ({
      id,
      task,
      floor,
      goal,
      ...(failure !== undefined && { failure }),
      figures: figures.map((figure) => ({ ...figure, verdict: verdictOf(figure) })),
    })),
  }
}

/** The figures that miss a goal, by row and name. One that could not be measured does not count. */
export function missedIn(results: readonly RowResult[]): readonly string[] {
  return results.flatMap(({ row, figures }) =>
    figures.filter((figure) => verdictOf(figure) === 'missed').map(({ name }) => `row ${row.id}, ${name}`),
  )
}
