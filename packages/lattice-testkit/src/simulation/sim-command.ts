/**
 * `npm run sim`: runs seeds and tells what came of them.
 *
 * @module
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { SimulationFailed } from './failure.ts'
import { DEFAULT_MINUTES, DEFAULT_NODES, drawPlan } from './plan.ts'
import { type SeedReport, runSeeds } from './run-seeds.ts'
import { runSimulation } from './run-simulation.ts'
import { prepareMesh } from './prepared-mesh.ts'
import { renderSummary, summarize } from './sim-summary.ts'

const USAGE = `npm run sim -- [options]
  --seeds N     run N seeds (100), or one where --seed is given
  --seed S      begin with seed S (1)
  --nodes M     nodes of each run, 2 to 16 (${DEFAULT_NODES})
  --minutes T   virtual minutes of work and faults (${DEFAULT_MINUTES})
  --jobs J      processes at once (as many as there are cores)
  --verbose     tell everything that happens; for one seed
  --json        one document instead of text`

export interface SimCommand {
  readonly seeds: readonly number[]
  readonly nodes: number
  readonly minutes: number
  readonly jobs: number
  readonly verbose: boolean
  readonly json: boolean
}

/** Answers the exit code: 0 when every seed passed, 1 when one did not, 2 for a command line that is none. */
export async function runSimCommand(args: readonly string[], write: (text: string) => void): Promise<number> {
  const command = readCommand(args)
  if ('usage' in command) {
    write(`${command.usage}\n`)
    return command.usage === USAGE ? 0 : 2
  }
  return command.verbose ? runVerbose(command, write) : runMany(command, write)
}

/** What the command line says; what is wrong with it as a text. */
export function readCommand(args: readonly string[]): SimCommand | { readonly usage: string } {
  let values
  try {
    const text = { type: 'string' } as const
    const flag = { type: 'boolean', default: false } as const
    const options = {
      seeds: text,
      seed: text,
      nodes: text,
      minutes: text,
      jobs: text,
      verbose: flag,
      json: flag,
      help: flag,
    }
    values = parseArgs({ args: [...args], options }).values
  } catch (error) {
    return { usage: `${error instanceof Error ? error.message : String(error)}\n${USAGE}` }
  }
  if (values.help) return { usage: USAGE }
  const first = Number(values.seed ?? 1)
  const count = Number(values.seeds ?? (values.seed === undefined ? 100 : 1))
  const nodes = Number(values.nodes ?? DEFAULT_NODES)
  const minutes = Number(values.minutes ?? DEFAULT_MINUTES)
  const jobs = Number(values.jobs ?? availableParallelism())
  if (![first, count, jobs].every((each) => Number.isSafeInteger(each) && each > 0)) {
    return { usage: `seeds and jobs are whole numbers from 1 on\n${USAGE}` }
  }
  if (values.verbose && count > 1) return { usage: `--verbose is for one seed: name it by --seed\n${USAGE}` }
  try {
    drawPlan({ seed: first, nodes, minutes })
  } catch (error) {
    return { usage: `${error instanceof Error ? error.message : String(error)}\n${USAGE}` }
  }
  const seeds = Array.from({ length: count }, (_, index) => first + index)
  return { seeds, nodes, minutes, jobs, verbose: values.verbose, json: values.json }
}

async function runVerbose({ seeds, nodes, minutes }: SimCommand, write: (text: string) => void): Promise<number> {
  const [seed = 1] = seeds
  const prepared = await prepareMesh(nodes + 1)
  try {
    write(`${JSON.stringify(drawPlan({ seed, nodes, minutes }), undefined, 2)}\n`)
    const result = await runSimulation({ seed, nodes, minutes, prepared, onLine: (line) => write(`${line}\n`) })
    write(`${JSON.stringify(result, undefined, 2)}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof SimulationFailed)) throw error
    write(`${error.message}\n`)
    if (error.cause instanceof Error) write(`${error.cause.stack ?? ''}\n`)
    return 1
  } finally {
    prepared.remove()
  }
}

async function runMany({ json, ...options }: SimCommand, write: (text: string) => void): Promise<number> {
  let done = 0
  const tell = (report: SeedReport): void => {
    done += 1
    if (json) return
    if (report.kind === 'failed') write(`${report.text}\n`)
    else if (done % PROGRESS_EVERY === 0) write(`${done} of ${options.seeds.length} seeds\n`)
  }
  const started = process.hrtime.bigint()
  const reports = await runSeeds({ ...options, onReport: tell })
  const summary = summarize(reports, { ...options, tookMs: Number((process.hrtime.bigint() - started) / 1_000_000n) })
  write(json ? `${JSON.stringify(summary)}\n` : renderSummary(summary))
  return summary.failed.length === 0 ? 0 : 1
}

const PROGRESS_EVERY = 25
