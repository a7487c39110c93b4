/**
 * `lattice doctor`: how the node and its stores are, and what to do about each finding.
 *
 * @module
 */
import { daemon } from '@lattice/proto'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { CommandFailed } from '../errors.ts'
import { countText, findingsText } from '../render/findings-text.ts'
import { formatPlural } from '../render/units.ts'
import type { Bind } from '../run-action.ts'

const DESCRIPTION = `How the node and its stores are: disk and growth, integrity, permissions, clock, network, versions, peers. What is well is shown, too; of what is not, what to do about it. Ends with 1 when there is a problem, and with 6 when data is damaged.`

/** The finding that says that what is on disk is not what was written. */
const INTEGRITY = 'integrity'

export function addDoctorCommand(program: Command, bind: Bind): void {
  program
    .command('doctor')
    .summary('how the node and its stores are, and what to do about it')
    .description(DESCRIPTION)
    .action(bind(examine))
}

async function examine(context: CommandContext): Promise<void> {
  const { out, signal } = context
  const response = await (await context.backend()).node.diagnose({}, { signal })
  const { findings } = response
  await out.message(daemon.DiagnoseResponseSchema, response, () => {
    const summary = countText(findings)
    const all = summary === undefined ? out.style.good('nothing is wrong') : out.style.warn(summary)
    return `${findingsText(findings, out)}\n\n${all}`
  })
  const problems = findings.filter(({ severity }) => severity === daemon.Severity.PROBLEM)
  if (problems.length === 0) return
  const isDamaged = problems.some(({ code }) => code === INTEGRITY)
  const codes = [...new Set(problems.map(({ code }) => code))]
  // What has been printed says what is wrong and what to do; these end with exit codes 6 and 1.
  throw new CommandFailed(
    isDamaged ? 'DATABASE_DAMAGED' : 'WRONG_STATE',
    `the doctor found ${formatPlural(problems.length, 'problem')}: ${codes.join(', ')}`,
    { detail: { codes } },
  )
}
