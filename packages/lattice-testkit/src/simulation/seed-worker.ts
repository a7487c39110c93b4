/**
 * The process behind `run-seeds.ts`: runs the seeds it is told, one after another, until its parent lets go of it.
 *
 * @module
 */
import { SimulationFailed } from './failure.ts'
import { DEFAULT_NODES } from './plan.ts'
import { prepareMesh, type PreparedMesh } from './prepared-mesh.ts'
import type { SeedReport, WorkerTask } from './run-seeds.ts'
import { runSimulation } from './run-simulation.ts'

const prepared = new Map<number, PreparedMesh>()

process.on('message', (message) => {
  runTask(message as WorkerTask).then(
    (report) => process.send?.(report),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => {
  for (const mesh of prepared.values()) mesh.remove()
  process.exit(0)
})

async function runTask(task: WorkerTask): Promise<SeedReport> {
  const { seed, nodes = DEFAULT_NODES } = task
  const mesh = prepared.get(nodes) ?? (await prepareMesh(nodes + 1))
  prepared.set(nodes, mesh)
  const before = process.cpuUsage()
  const cpuMs = (): number => {
    const { user, system } = process.cpuUsage(before)
    return Math.round((user + system) / 1000)
  }
  try {
    const result = await runSimulation({ ...task, prepared: mesh })
    return { kind: 'passed', seed, cpuMs: cpuMs(), result }
  } catch (error) {
    const invariant = error instanceof SimulationFailed ? error.finding.invariant : 'runs_to_its_end'
    const text = error instanceof Error ? textOf(error) : String(error)
    return { kind: 'failed', seed, cpuMs: cpuMs(), invariant, text }
  }
}

function textOf(error: Error): string {
  const { cause } = error
  return cause instanceof Error ? `${error.message}\n${cause.stack ?? cause.message}` : error.message
}
