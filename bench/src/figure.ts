/**
 * What a row reports: a quantity, the floor it is held against, and whether its goals are met.
 *
 * @module
 */
import type { Floor, Measured, Sample } from './sample.ts'

/** How a quantity is printed, and what it counts. */
export type Unit = '/s' | 's' | 'ms' | 'µs' | 'MB' | 'B' | 'rounds' | 'x' | '%' | 'hops' | 'sent'

/** One condition. A ratio is always ours divided by the floor, whether more is better or less. */
export interface Goal {
  readonly on: 'value' | 'ratio'
  readonly bound: 'at least' | 'at most'
  readonly value: number
}

export type Verdict = 'met' | 'missed' | 'no goal' | 'n/a'

export interface Figure {
  /** What was measured, at which size. */
  readonly name: string
  readonly unit: Unit
  /** Absent where it cannot be measured; `note` says why. */
  readonly ours?: Sample
  readonly floor?: Floor
  readonly ratio?: Measured['ratio']
  readonly goals: readonly Goal[]
  readonly note?: string
}

export const ratioAtLeast = (value: number): Goal => ({ on: 'ratio', bound: 'at least', value })
export const ratioAtMost = (value: number): Goal => ({ on: 'ratio', bound: 'at most', value })
export const atLeast = (value: number): Goal => ({ on: 'value', bound: 'at least', value })
export const atMost = (value: number): Goal => ({ on: 'value', bound: 'at most', value })

function isMet({ on, bound, value }: Goal, { ours, ratio }: Figure): boolean {
  const measured = on === 'ratio' ? ratio : ours?.median
  if (measured === undefined) return false
  return bound === 'at least' ? measured >= value : measured <= value
}

/** All goals of a figure have to hold. */
export function verdictOf(figure: Figure): Verdict {
  if (figure.ours === undefined) return 'n/a'
  if (figure.goals.length === 0) return 'no goal'
  return figure.goals.every((goal) => isMet(goal, figure)) ? 'met' : 'missed'
}
