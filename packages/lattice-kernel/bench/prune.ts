/**
 * Figures of pruning: `node --conditions=source bench/prune.ts [writes] [keys]`.
 *
 * Overwrites of a few keys, one prune: bytes before and after, how long it takes, and the longest turn of the event loop.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { createTestStore, removeDirectories, turnScheduler } from '../test/harness.ts'
import { createModelPolicy } from '../test/model-policy.ts'
import { appOp } from '../test/tracking-projector.ts'

const count = Number(process.argv[2] ?? 200_000)
const keys = Number(process.argv[3] ?? 1000)
const value = 'v'.repeat(100)
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }
const scheduler = {
  ...turnScheduler,
  after: (ms: number, task: () => void) => {
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer)
  },
}
const { kernel, directory } = await createTestStore({
  clock,
  scheduler,
  membership: createModelPolicy(),
  snapshots: true,
})

function sizes(): string {
  const of = (file: string): number => {
    try {
      return statSync(join(directory, file)).size
    } catch {
      return 0
    }
  }
  const files = ['log.db', 'log.db-wal', 'state.db', 'snapshot.db']
  return files.map((file) => `${file} ${Math.round(of(file) / 1024)} KiB`).join(', ')
}

const begun = performance.now()
function* writes() {
  for (let n = 0; n < count; n += 1) yield { op: appOp(`set key-${n % keys}-padding ${value}`) }
}
await kernel.submitMany(writes())
process.stdout.write(`${count} writes of ${keys} keys: ${Math.round(performance.now() - begun)} ms; ${sizes()}\n`)

interface Turn {
  readonly ms: number
  readonly cpuMs: number
}
const turns: Turn[] = []
let isOver = false
let last = { ms: 0, cpuMs: 0 }
/** By the clock, and by what this thread used: what other processes take does not count. */
function now(): Turn {
  const { user, system } = process.threadCpuUsage()
  return { ms: performance.now(), cpuMs: (user + system) / 1000 }
}
function watch(): void {
  const at = now()
  turns.push({ ms: at.ms - last.ms, cpuMs: at.cpuMs - last.cpuMs })
  if (at.cpuMs - last.cpuMs > 7) last = at
  if (!isOver) setImmediate(watch)
}
const longest = (of: (turn: Turn) => number): string =>
  turns
    .map(of)
    .sort((a, b) => b - a)
    .slice(0, 5)
    .map((ms) => ms.toFixed(1))
    .join(', ')
const done = new Promise<void>((resolve) => {
  kernel.onEvent((event) => {
    if (event.kind === 'pruned') {
      const { intentions, bytesBefore, bytesAfter } = event
      process.stdout.write(`pruned: ${intentions} intentions, log.db ${bytesBefore} → ${bytesAfter} bytes\n`)
      resolve()
    }
  })
})
await kernel.submitEpoch({ kind: 'prune' })
await kernel.makeSnapshot()
process.stdout.write(`with its snapshot: ${sizes()}\n`)
let startedMs = 0
let cpu = process.cpuUsage()
while (kernel.pruning().state !== 'pruning') {
  await new Promise<void>((resolve) => void setTimeout(resolve, 1))
  startedMs = performance.now()
  cpu = process.cpuUsage()
}
last = now()
watch()
await done
isOver = true
const { user, system } = process.cpuUsage(cpu)
const [tookMs, cpuMs] = [Math.round(performance.now() - startedMs), Math.round((user + system) / 1000)]
process.stdout.write(`prune: ${tookMs} ms (${cpuMs} ms of processor); ${sizes()}\n`)
process.stdout.write(`longest turns: ${longest(({ ms }) => ms)} ms, of processor ${longest((turn) => turn.cpuMs)} ms\n`)
await kernel.close()
process.stdout.write(`closed: ${sizes()}\n`)
removeDirectories()
