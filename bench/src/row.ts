/**
 * A row of the table of goals, and what it is given to run.
 *
 * @module
 */
import type { Figure } from './figure.ts'
import type { Repeats } from './sample.ts'

export interface RowContext extends Repeats {
  /** Sizes are reduced, for a first look: figures that depend on size say less. */
  readonly quick: boolean
  /** Picks a size. */
  readonly size: (full: number, quick: number) => number
  /** A new folder on a real disk, removed with the run. */
  readonly folder: () => string
  /** Folder of stores that several rows use; what is in it is complete. */
  readonly fixtures: string
  /** Says what is being prepared, for whoever waits. */
  readonly progress: (sentence: string) => void
}

export interface BenchRow {
  /** As in the table of goals: `1`, `1b`, … */
  readonly id: string
  readonly task: string
  readonly floor: string
  readonly goal: string
  readonly run: (context: RowContext) => Promise<readonly Figure[]>
}
