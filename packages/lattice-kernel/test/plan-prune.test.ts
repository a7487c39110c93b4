/** What a prune would do is told beforehand, and right: counted exactly, sized within a tenth, chosen as it says. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type IntentionId, toHex } from '@lattice/model'
import { createManualClock, createSeededRandom } from '@lattice/model/testing'
import { system } from '@lattice/proto'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { EPOCH_ACK_DELAY_MS, type Kernel, type PrunePlan } from '../src/index.ts'
import { createMesh, openThree, others } from './epoch-nodes.ts'
import { createTestStore, removeDirectories, signerOf, START_MS, type TestKernel } from './harness.ts'
import { isModelRecord } from './membership-model.ts'
import { admitOp, createModelPolicy } from './model-policy.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

const NOW = START_MS + 1000

async function openStore(): Promise<TestKernel> {
  return createTestStore({ membership: createModelPolicy(), ackDelayMs: Infinity })
}

/** Bytes of all records in the file, by seq. */
function sizesIn(directory: string): ReadonlyMap<number, number> {
  const database = new DatabaseSync(join(directory, 'log.db'), { readOnly: true })
  const rows = database.prepare('SELECT seq, length(record) AS bytes FROM intentions').all()
  database.close()
  return new Map(rows.map(({ seq, bytes }) => [Number(seq), Number(bytes)]))
}

/** By reading all of the history. */
function expectPlan({ kernel, directory }: TestKernel, epoch: IntentionId): Pick<PrunePlan, 'goes' | 'stays'> {
  const sizes = sizesIn(directory)
  const parts = { goes: { intentions: 0, bytes: 0 }, stays: { intentions: 0, bytes: 0 } }
  for (let from = 1; ;) {
    const page = kernel.scanWitness(from, 2048)
    for (const { seq, parsed } of page) {
      const part = kernel.isAncestor(parsed.id, epoch) && !isModelRecord(parsed.op) ? parts.goes : parts.stays
      part.intentions += 1
      part.bytes += sizes.get(seq) ?? 0
    }
    const last = page.at(-1)
    if (last === undefined) return parts
    from = last.seq + 1
  }
}

function expectNear(actual: number, exact: number): void {
  expect(Math.abs(actual - exact)).toBeLessThanOrEqual(0.1 * exact)
}

/** Writes of very different sizes, which change with time. */
async function writeMany(kernel: Kernel, count: number, seed: number): Promise<void> {
  const random = createSeededRandom(seed)
  const writes = Array.from({ length: count }, (_, index) => ({
    op: appOp(`set k${index} ${'x'.repeat(random.below(3) === 0 ? random.below(4000) : random.below(40))}`),
  }))
  await kernel.submitMany(writes)
}

describe('a plan', () => {
  test('names the newest epoch that keeps enough, and counts what goes', async () => {
    const store = await openStore()
    const { kernel } = store
    const epochs: IntentionId[] = []
    for (const count of [3, 0, 7, 12, 1]) {
      await writeMany(kernel, count, count)
      if (count === 7) await kernel.submit(admitOp(signerOf(9).publicKey, system.Role.READER))
      epochs.push(await kernel.submitEpoch({ kind: 'initial' }))
    }
    await writeMany(kernel, 5, 1)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 50 }), (keepCount) => {
        const after = (epoch: IntentionId): number =>
          kernel.scanWitness(1, 4096).filter(({ parsed: { id } }) => !kernel.isAncestor(id, epoch)).length
        const chosen = epochs.findLast((epoch) => after(epoch) >= keepCount)
        const plan = kernel.planPrune({ keepCount, nowMs: NOW })
        expect(plan.epoch && toHex(plan.epoch)).toBe(chosen && toHex(chosen))
        if (chosen === undefined) {
          expect(plan).toMatchObject({ hindrance: 'history_recent', freedBytes: 0, goes: { intentions: 0, bytes: 0 } })
          expect(plan.stays.intentions).toBe(kernel.stats().witnessCount)
        } else expect(plan).toMatchObject(expectPlan(store, chosen))
      }),
      { numRuns: 30 },
    )
    await kernel.close()
  })

  test('estimates bytes of long histories within a tenth, also of the file', async () => {
    const store = await openStore()
    const { kernel } = store
    await writeMany(kernel, 4500, 5)
    const epoch = await kernel.submitEpoch({ kind: 'initial' })
    await writeMany(kernel, 1500, 6)
    const plan = kernel.planPrune({ keepCount: 1500, nowMs: NOW })
    const exact = expectPlan(store, epoch)
    expect(plan.epoch && toHex(plan.epoch)).toBe(toHex(epoch))
    expect(plan.goes.intentions).toBe(exact.goes.intentions)
    expect(plan.stays.intentions).toBe(exact.stays.intentions)
    expectNear(plan.goes.bytes, exact.goes.bytes)
    expectNear(plan.stays.bytes, exact.stays.bytes)
    await kernel.close()
    // What deleting them frees.
    const database = new DatabaseSync(join(store.directory, 'log.db'))
    const pages = (): number => Number(database.prepare('PRAGMA page_count').get()?.['page_count'])
    const before = pages()
    database.exec('DELETE FROM intentions WHERE seq > 1 AND seq <= 4501; DELETE FROM ids WHERE seq > 1 AND seq <= 4501')
    database.exec('VACUUM')
    const freed = (before - pages()) * 4096
    database.close()
    expectNear(plan.freedBytes, freed)
  })

  test('keeps what is recent, whenever its epoch was made', async () => {
    const clock = createManualClock({ wallMs: START_MS + 1000 })
    const { kernel } = await createTestStore({ membership: createModelPolicy(), clock, ackDelayMs: Infinity })
    await kernel.submit(appOp('set a 1'))
    clock.advance(1000)
    const early = await kernel.submitEpoch({ kind: 'initial' })
    clock.advance(1000)
    await kernel.submit(appOp('set b 1'))
    clock.advance(5000)
    const late = await kernel.submitEpoch({ kind: 'initial' })
    const nowMs = clock.wallMs()
    const chosen = (keepMs: number): string | undefined => {
      const { epoch } = kernel.planPrune({ keepMs, nowMs })
      return epoch && toHex(epoch)
    }
    // The write is five seconds old, though the later epoch is of now.
    expect(chosen(5000)).toBe(toHex(late))
    expect(chosen(5001)).toBe(toHex(early))
    expect(chosen(7001)).toBeUndefined()
    expect(kernel.planPrune({ keepMs: 7001, nowMs })).toMatchObject({ hindrance: 'history_recent' })
    // Nothing is: an epoch made then would do where there is none.
    expect(kernel.planPrune({ nowMs })).toMatchObject({ epoch: undefined, hindrance: 'no_snapshot' })
    await kernel.close()
  })

  test('says what an epoch made now would do', async () => {
    const store = await openStore()
    const { kernel } = store
    expect(kernel.planPrune({ nowMs: NOW })).toMatchObject({ hindrance: 'nothing_to_prune' })
    await writeMany(kernel, 40, 3)
    const plan = kernel.planPrune({ nowMs: NOW })
    const epoch = await kernel.submitEpoch({ kind: 'initial' })
    const { goes, stays } = expectPlan(store, epoch)
    // The epoch itself is not counted.
    expect(plan).toMatchObject({ epoch: undefined, goes, stays: { intentions: stays.intentions - 1 } })
    await kernel.close()
  })

  test('says who keeps it from being done, and what', async () => {
    const mesh = createMesh()
    const nodes = await openThree(mesh, { snapshots: true })
    const [a] = nodes
    await mesh.run(a.kernel.submit(appOp('set a 1')))
    const epoch = await mesh.run(a.kernel.submitEpoch({ kind: 'initial' }))
    const plan = (): PrunePlan => a.kernel.planPrune({ keepCount: 1, nowMs: mesh.scheduler.clock.wallMs() })
    expect(plan()).toMatchObject({ epoch, hindrance: 'not_settled' })
    const names = (keys: readonly Uint8Array[]): readonly string[] => keys.map(toHex).sort()
    expect(names(plan().waitsFor)).toEqual(names(others.map(({ publicKey }) => publicKey)))
    await mesh.connect(nodes)
    while (a.kernel.epochs()[0]?.isFinal !== true || a.kernel.snapshot().settled === undefined) {
      await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
    }
    expect(plan()).toMatchObject({ epoch, hindrance: undefined, waitsFor: [] })
    for (const { kernel } of nodes) await mesh.run(kernel.close())
  })

  test('wants a state at the epoch, and does without one that is not final', async () => {
    const mesh = createMesh()
    const nodes = await openThree(mesh, { snapshots: false })
    const [a] = nodes
    await mesh.run(a.kernel.submit(appOp('set a 1')))
    const epoch = await mesh.run(a.kernel.submitEpoch({ kind: 'initial' }))
    await mesh.connect(nodes)
    while (a.kernel.epochs()[0]?.isSettled !== true) await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
    expect(a.kernel.planPrune({ keepCount: 1, nowMs: NOW })).toMatchObject({ epoch, hindrance: 'not_final' })

    for (const { kernel } of nodes) await mesh.run(kernel.close())
  })
})
