/**
 * Figures of the write path: `node --conditions=source bench/write-path.ts`.
 *
 * @module
 */
import { createTestStore, openTestKernel, removeDirectories, signerOf, crypto, turnScheduler } from '../test/harness.ts'
import { appOp } from '../test/tracking-projector.ts'

const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }
const value = 'v'.repeat(100)

function report(name: string, count: number, startedMs: number): void {
  const ms = performance.now() - startedMs
  process.stdout.write(`${name}: ${Math.round((count / ms) * 1000)} /s (${count} in ${Math.round(ms)} ms)\n`)
}

const source = await createTestStore({ clock })
process.stdout.write(`crypto backend: ${String(Reflect.get(crypto, 'backend'))}\n`)
let started = performance.now()
for (let n = 0; n < 2000; n += 1) await source.kernel.submit(appOp(`set key-${n % 1000}-padding ${value}`))
report('submit one at a time, FULL', 2000, started)

started = performance.now()
await Promise.all(
  Array.from({ length: 64 }, async (_, writer) => {
    for (let n = 0; n < 300; n += 1) await source.kernel.submit(appOp(`set key-${writer}-${n} ${value}`))
  }),
)
report('submit, 64 writers, FULL', 64 * 300, started)

started = performance.now()
await Promise.all(Array.from({ length: 12_000 }, async (_, n) => source.kernel.submit(appOp(`set bulk-${n} ${value}`))))
report('submit, groups of 256', 12_000, started)

const count = source.kernel.stats().witnessCount
const ids = []
for (let from = 1; from <= count; from += 4096)
  ids.push(...source.kernel.scanWitness(from, 4096).map((e) => e.parsed.id))
const intentions = source.kernel.read(ids.slice(2001), 1e9).intentions
const head = source.kernel.read(ids.slice(0, 2001), 1e9).intentions
const target = await openTestKernel({
  storeId: source.kernel.storeId,
  signer: signerOf(2),
  clock,
  scheduler: turnScheduler,
})
started = performance.now()
await target.kernel.ingest(head, undefined)
report('ingest, each signed', head.length, started)
let longest = 0
let last = performance.now()
let running = true
const tick = (): void => {
  const now = performance.now()
  longest = Math.max(longest, now - last)
  last = now
  if (running) setImmediate(tick)
}
tick()
started = performance.now()
await target.kernel.ingest(intentions, undefined)
report('ingest, signed in runs', intentions.length, started)
running = false
process.stdout.write(`longest turn of the event loop: ${longest.toFixed(1)} ms\n`)
started = performance.now()
target.kernel.rangeIndex()
report('range index built', count, started)
started = performance.now()
const digest = await target.kernel.stateDigest()
report('state digest, rows', count, started)
process.stdout.write(`equal: ${String(digest.join() === (await source.kernel.stateDigest()).join())}\n`)
await target.kernel.close()
started = performance.now()
const again = await openTestKernel({ ...target.options })
report('open', 1, started)
started = performance.now()
await again.kernel.rebuild()
report('rebuild', count, started)
await again.kernel.close()
await source.kernel.close()
removeDirectories()
