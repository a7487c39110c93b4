/**
 * Figures of snapshots: `node --conditions=source bench/snapshots.ts`.
 *
 * What advancing by a difference takes, with its copy, and what keeping the root adds to it.
 *
 * @module
 */
import { createTestStore, removeDirectories } from '../test/harness.ts'
import { createModelPolicy } from '../test/model-policy.ts'
import { appOp } from '../test/tracking-projector.ts'

const value = 'v'.repeat(100)
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }
const { kernel } = await createTestStore({ clock, membership: createModelPolicy(), snapshots: true })
let written = 0

async function write(count: number, keys: number): Promise<void> {
  const from = written
  written += count
  await kernel.submitMany(
    Array.from({ length: count }, (_, n) => ({ op: appOp(`set key-${(from + n) % keys}-padding ${value}`) })),
  )
}

/** Wall time, and what the processor was used for: on a machine that does other things the two differ. */
async function timed(work: () => Promise<string>, name: string): Promise<void> {
  const [startedMs, before] = [performance.now(), process.cpuUsage()]
  const what = await work()
  const { user, system } = process.cpuUsage(before)
  const [ms, cpuMs] = [performance.now() - startedMs, (user + system) / 1000]
  process.stdout.write(`${name}: ${Math.round(ms)} ms (${Math.round(cpuMs)} ms of processor); ${what}\n`)
}

async function advance(name: string): Promise<void> {
  await kernel.submitEpoch({ kind: 'initial' })
  await timed(async () => {
    const { rows, bytes } = await kernel.makeSnapshot()
    return `${rows.app} rows, ${Math.round(bytes / 1024)} KiB`
  }, name)
}

await write(100_000, 100_000)
await advance('from the start, 100,000 writes of as many keys')
await write(1000, 100_000)
await advance('advance by 1,000')
await write(1000, 100_000)
await advance('advance by 1,000 again')
await write(100_000, 100_000)
await advance('advance by 100,000')
await advance('advance by an epoch alone: the copy')
await timed(async () => {
  await kernel.rebuild()
  return `${kernel.stats().witnessCount} records, without a root`
}, 'state in use made anew')
await kernel.close()
removeDirectories()
