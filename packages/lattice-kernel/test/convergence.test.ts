/** What must hold for any history, however it arrives. */
import { causesOf, genesisStoreId, idKey, toHex } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { openTestKernel, removeDirectories, signerOf } from './harness.ts'
import { createRandomDag, shuffled } from './random-dag.ts'

afterEach(removeDirectories)

const RUNS = { numRuns: 12 }
const dags = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  authors: fc.integer({ min: 1, max: 4 }),
  runs: fc.integer({ min: 1, max: 25 }),
})

function witnessedIds(kernel: Kernel): string[] {
  return kernel.scanWitness(1, 4096).map(({ parsed }) => toHex(parsed.id))
}

describe('a kernel', () => {
  test('witnesses the same set and projects the same state in any order, batching and duplication', async () => {
    await fc.assert(
      fc.asyncProperty(dags, fc.integer(), async (options, order) => {
        const { genesis, intentions } = createRandomDag(options)
        const storeId = genesisStoreId(genesis)
        const straight = await openTestKernel({ storeId })
        await straight.kernel.ingest(intentions, undefined)
        expect(straight.kernel.stats().witnessCount).toBe(intentions.length)

        const random = createSeededRandom(order)
        let { kernel, options: opened, projector } = await openTestKernel({ storeId, signer: signerOf(99) })
        const arrivals = shuffled(intentions, order)
        const applied: string[] = []
        while (arrivals.length > 0) {
          await kernel.ingest(arrivals.splice(0, 1 + random.below(12)), undefined)
          if (random.below(5) > 0) continue
          // What floats and what was applied survives opening again.
          applied.push(...projector.applied)
          await kernel.close()
          ;({ kernel, options: opened, projector } = await openTestKernel({ ...opened, storeId }))
          projector.applied.length = 0
        }
        expect(kernel.floating(100)).toEqual([])
        expect(witnessedIds(kernel).toSorted()).toEqual(witnessedIds(straight.kernel).toSorted())
        expect(kernel.digest()).toEqual(straight.kernel.digest())
        expect(await kernel.stateDigest()).toEqual(await straight.kernel.stateDigest())
        expect(kernel.frontier()).toEqual(straight.kernel.frontier())
        expect(
          kernel
            .rejections(0, 100)
            .map(({ id }) => toHex(id))
            .toSorted(),
        ).toEqual(
          straight.kernel
            .rejections(0, 100)
            .map(({ id }) => toHex(id))
            .toSorted(),
        )
        await kernel.close()
        await straight.kernel.close()
      }),
      RUNS,
    )
  })

  test('witnesses causes first, closes every run in one commit, and applies each record once, in log order', async () => {
    await fc.assert(
      fc.asyncProperty(dags, fc.integer(), async (options, order) => {
        const { genesis, intentions } = createRandomDag(options)
        const { kernel, projector } = await openTestKernel({ storeId: genesisStoreId(genesis) })
        const arrivals = shuffled(intentions, order)
        while (arrivals.length > 0) {
          await kernel.ingest(arrivals.splice(0, 5), undefined)
          const seen = new Set<string>()
          const closed = new Set<string>()
          for (const { parsed } of kernel.scanWitness(1, 4096)) {
            for (const cause of causesOf(parsed.intention)) expect(seen.has(idKey(cause))).toBe(true)
            seen.add(idKey(parsed.id))
          }
          // Backwards: an unsigned record is vouched for by a later one of its chain.
          for (const { parsed } of kernel.history(undefined, 4096)) {
            if (parsed.signature.length === 0) expect(closed.has(idKey(parsed.id))).toBe(true)
            closed.add(idKey(parsed.intention.storePrev))
          }
        }
        expect(projector.applied).toEqual(witnessedIds(kernel))
        expect(kernel.projection().appliedSeq).toBe(intentions.length)
        await kernel.close()
      }),
      RUNS,
    )
  })

  test('answers ancestry as a walk over all causes would', async () => {
    await fc.assert(
      fc.asyncProperty(dags, async (options) => {
        const { genesis, intentions } = createRandomDag(options)
        const { kernel } = await openTestKernel({ storeId: genesisStoreId(genesis) })
        await kernel.ingest(intentions, undefined)
        const past = new Map<string, Set<string>>()
        for (const { id, intention } of intentions) {
          const all = new Set<string>()
          for (const cause of causesOf(intention)) {
            all.add(idKey(cause))
            for (const older of past.get(idKey(cause)) ?? []) all.add(older)
          }
          past.set(idKey(id), all)
        }
        for (const a of intentions) {
          for (const b of intentions) {
            expect(kernel.isAncestor(a.id, b.id)).toBe(past.get(idKey(b.id))?.has(idKey(a.id)))
          }
        }
        await kernel.close()
      }),
      RUNS,
    )
  })

  test('hands on by id, by page and by chain what another kernel takes in as it is', async () => {
    await fc.assert(
      fc.asyncProperty(dags, fc.integer({ min: 1, max: 4000 }), async (options, maxBytes) => {
        const { genesis, intentions } = createRandomDag(options)
        const storeId = genesisStoreId(genesis)
        const source = await openTestKernel({ storeId })
        const target = await openTestKernel({ storeId, signer: signerOf(98) })
        await source.kernel.ingest(intentions, undefined)
        let wanted = target.kernel.missing(source.kernel.scanWitness(1, 4096).map(({ parsed }) => parsed.id))
        while (wanted.length > 0) {
          const { intentions: sent, rest } = source.kernel.read(wanted, maxBytes)
          expect(sent.length).toBeGreaterThan(0)
          await target.kernel.ingest(sent, signerOf(1).publicKey)
          wanted = rest
        }
        expect(target.kernel.digest()).toEqual(source.kernel.digest())
        expect(source.kernel.rangeIndex().size()).toBe(intentions.length)
        await source.kernel.close()
        await target.kernel.close()
      }),
      RUNS,
    )
  })
})
