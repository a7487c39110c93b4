/**
 * Rounds, bytes and CPU of a session, and the cost of the memory index. Floors: one fingerprint of the whole set
 * computed id by id, which is what a vector of ids would cost each session.
 *
 * Run: `node --conditions=source bench/reconcile.ts [shared] [differences]`.
 *
 * @module
 */
import { toHash } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { accumulate, createMemoryRangeIndex, createReconciler, fingerprintOf, type Item } from '../src/index.ts'

declare const process: { readonly argv: readonly string[] }
declare const performance: { now(): number }
declare const console: { log(text: string): void }

const shared = Number(process.argv[2] ?? 100_000)
const differences = Number(process.argv[3] ?? 100)
const random = createSeededRandom(1)
const STEP_MS = 37

function timed<T>(work: () => T): readonly [T, number] {
  const startedAt = performance.now()
  const value = work()
  return [value, performance.now() - startedAt]
}

function draw(timestamp: number): Item {
  return { timestamp, id: toHash(random.bytes(32)) }
}

function run(name: string, timestampOf: (number: number) => number): Readonly<Record<string, unknown>> {
  const common = Array.from({ length: shared }, (_, number) => draw(number * STEP_MS))
  const [a, b] = [0, 1].map(() => Array.from({ length: differences }, (_, number) => draw(timestampOf(number))))
  const [indexA, buildMs] = timed(() => createMemoryRangeIndex([...common, ...(a ?? [])]))
  const indexB = createMemoryRangeIndex([...common, ...(b ?? [])])
  indexA.accumulate(0, indexA.size())
  indexB.accumulate(0, indexB.size())
  const initiator = createReconciler({ index: indexA, role: 'initiator' })
  const responder = createReconciler({ index: indexB, role: 'responder' })
  let bytes = 0
  let roundTrips = 0
  let have = 0
  let need = 0
  const [, sessionMs] = timed(() => {
    for (let message: Uint8Array | undefined = initiator.start(); message !== undefined;) {
      roundTrips += 1
      bytes += message.length
      const answer = responder.receive(message)
      if (!answer.ok || answer.value.reply === undefined) throw new Error('the responder answers')
      bytes += answer.value.reply.length
      const step = initiator.receive(answer.value.reply)
      if (!step.ok) throw new Error('honest messages are accepted')
      have += step.value.have.length
      need += step.value.need.length
      message = step.value.reply
    }
  })
  const [, naiveMs] = timed(() => fingerprintOf(accumulate(common.map((item) => item.id))))
  return { name, shared, differences, roundTrips, bytes, have, need, sessionMs, naiveMs, buildMs }
}

function indexCosts(): Readonly<Record<string, unknown>> {
  const index = createMemoryRangeIndex(Array.from({ length: shared }, (_, number) => draw(number * STEP_MS)))
  const count = 10_000
  const added = Array.from({ length: count }, (_, number) => draw((shared + number) * STEP_MS))
  const [, insertMs] = timed(() => {
    for (const item of added) index.insert(item)
  })
  const [, queryMs] = timed(() => {
    for (let query = 0; query < count; query += 1) {
      fingerprintOf(index.accumulate((query * 7919) % shared, index.size() - query))
    }
  })
  return { insertMicros: (insertMs * 1000) / count, fingerprintMicros: (queryMs * 1000) / count }
}

const recent = (number: number): number => (shared - differences + number) * STEP_MS
const spread = (number: number): number => Math.floor((number * shared) / differences) * STEP_MS
run('warm-up', recent)
for (const row of [run('recent differences', recent), run('spread differences', spread), indexCosts()]) {
  console.log(JSON.stringify(row))
}
