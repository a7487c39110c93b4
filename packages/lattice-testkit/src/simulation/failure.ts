/**
 * A simulation found what must never be so.
 *
 * @module
 */
import { describePlan, type SimulationPlan } from './plan.ts'

export interface SimulationFinding {
  /** The rule that is broken, in snake_case. */
  readonly invariant: string
  readonly message: string
}

export interface SimulationMoment {
  readonly plan: SimulationPlan
  readonly phase: string
  readonly step: number
  readonly virtualMs: number
  readonly lines: readonly string[]
}

export class SimulationFailed extends Error {
  override readonly name = 'SimulationFailed'
  readonly finding: SimulationFinding
  readonly moment: SimulationMoment

  constructor(finding: SimulationFinding, moment: SimulationMoment, options?: ErrorOptions) {
    super(textOf(finding, moment), options)
    this.finding = finding
    this.moment = moment
  }
}

/** The one command that takes the same course again. */
export function replayCommand({ seed, nodes, minutes }: SimulationPlan): string {
  return `npm run sim -- --seed ${seed} --nodes ${nodes} --minutes ${minutes} --verbose`
}

function textOf(finding: SimulationFinding, { plan, phase, step, virtualMs, lines }: SimulationMoment): string {
  return [
    `seed ${plan.seed} broke \`${finding.invariant}\` in step ${step} (${phase}), after ${virtualMs} ms of virtual time:`,
    finding.message,
    `options: ${describePlan(plan)}`,
    'what happened last:',
    ...lines,
    `again: ${replayCommand(plan)}`,
  ].join('\n')
}
