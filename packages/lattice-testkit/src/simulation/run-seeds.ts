/**
 * Runs many seeds, in processes of their own: as many at once as there are jobs, one seed after another in each.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { SimulationOptions } from './plan.ts'
import type { SimulationResult } from './run-simulation.ts'

/** What became of a seed. */
export type SeedReport =
  | { readonly kind: 'passed'; readonly seed: number; readonly cpuMs: number; readonly result: SimulationResult }
  | {
      readonly kind: 'failed'
      readonly seed: number
      readonly cpuMs: number
      readonly invariant: string
      /** Everything there is to know, the command that runs it again in the end. */
      readonly text: string
    }

export type SeedsOptions = Omit<SimulationOptions, 'seed'> & {
  readonly seeds: readonly number[]
  readonly jobs: number
  readonly onReport?: (report: SeedReport) => void
}

/** What a worker is told. */
export type WorkerTask = SimulationOptions

const WORKER = join(import.meta.dirname, 'seed-worker.ts')
/** A seed that takes longer is stuck: no run needs a tenth of it. */
const STUCK_MS: number = 10 * 60_000

/** Resolves with one report per seed, in the order in which they ended. */
export async function runSeeds({ seeds, jobs, onReport, ...options }: SeedsOptions): Promise<readonly SeedReport[]> {
  const waiting = [...seeds]
  const reports: SeedReport[] = []
  const work = async (): Promise<void> => {
    let worker: Worker | undefined
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
      worker ??= startWorker()
      const report = await worker.run({ ...options, seed })
      if (worker.hasEnded()) worker = undefined
      reports.push(report)
      onReport?.(report)
    }
    await worker?.end()
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(jobs, seeds.length)) }, work))
  return reports
}

interface Worker {
  readonly run: (task: WorkerTask) => Promise<SeedReport>
  readonly hasEnded: () => boolean
  readonly end: () => Promise<void>
}

function startWorker(): Worker {
  const child = spawn(process.execPath, ['--conditions=source', '--no-warnings', WORKER], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
  return {
    run: (task) => ask(child, { task, ended }),
    hasEnded,
    end: async () => {
      if (!hasEnded()) child.disconnect()
      await ended
    },
  }
}

async function ask(
  child: ChildProcess,
  { task, ended }: { readonly task: WorkerTask; readonly ended: Promise<void> },
): Promise<SeedReport> {
  const lost = (what: string): SeedReport => ({
    kind: 'failed',
    seed: task.seed,
    cpuMs: 0,
    invariant: 'processes_survive',
    text: `seed ${task.seed}: ${what}`,
  })
  const answer = new Promise<SeedReport>((resolve) => {
    child.once('message', (message) => resolve(message as SeedReport))
  })
  let timer: NodeJS.Timeout | undefined
  const stuck = new Promise<SeedReport>((resolve) => {
    timer = setTimeout(() => {
      child.kill('SIGKILL')
      resolve(lost(`it took longer than ${STUCK_MS / 1000} s, so its process was ended`))
    }, STUCK_MS)
  })
  child.send(task)
  const end = ended.then(() => lost(`its process ended (${String(child.signalCode ?? child.exitCode)})`))
  try {
    return await Promise.race([answer, end, stuck])
  } finally {
    clearTimeout(timer)
    child.removeAllListeners('message')
  }
}
