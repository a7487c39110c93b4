/** A log that begins with a foundation answers as one that has all of the history, whatever that is. */
import { equalBytes, genesisStoreId, idKey, type ParsedIntention, toHex } from '@lattice/model'
import * as fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { createCutoffDag } from './cutoff-dag.ts'
import { removeDirectories, signerOf } from './harness.ts'
import { modelChainEnds, toldChainEnds } from './model-chain-ends.ts'
import { counting, foundLog, openPlain } from './plain-foundation.ts'

afterEach(removeDirectories)

const dags = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  authors: fc.integer({ min: 2, max: 5 }),
  runs: fc.integer({ min: 15, max: 45 }),
  timePasses: fc.boolean(),
})

test('a log over a foundation holds the same and places it alike, and hands the foundation on', async () => {
  let [founded, handed] = [0, 0]
  await fc.assert(
    fc.asyncProperty(dags, fc.nat(), async (options, choice) => {
      const { genesis, intentions } = createCutoffDag({ ...options, isWaited: true })
      const storeId = genesisStoreId(genesis)
      const { kernel } = await openPlain({ storeId })
      await kernel.ingest(intentions, undefined)
      const bases = counting(kernel).filter((id) => kernel.over(id) !== undefined)
      const base = bases[choice % Math.max(1, bases.length)]
      const epoch = intentions.find(({ id }) => base !== undefined && equalBytes(id, base))
      const foundation = base && kernel.foundation(base)
      if (epoch === undefined || base === undefined || foundation === undefined) {
        await kernel.close()
        return
      }
      founded += 1
      const items = foundation.read(0, 1e9)
      const ends = (at: ParsedIntention): string => toHex(modelChainEnds([genesis, ...intentions], at))
      expect(toHex(toldChainEnds(items))).toBe(ends(epoch))
      const made = await openPlain({ storeId, directory: foundLog(kernel, items, epoch), signer: signerOf(99) })
      const set = kernel.over(base)?.rangeIndex()
      const ids = new Set(set === undefined ? [] : [...set.items(0, set.size())].map(({ id }) => idKey(id)))
      await made.kernel.ingest(
        intentions.filter(({ id }) => ids.has(idKey(id))),
        undefined,
      )
      // Some were looked at before what admits them again had come.
      await made.kernel.recheckFloating()
      expect(made.kernel.digest()).toEqual(kernel.over(base)?.digest())
      expect(made.kernel.frontier()).toEqual(kernel.frontier())
      expect(made.kernel.chainTips(100)).toEqual(kernel.chainTips(100))
      const faults = (of: Kernel): readonly unknown[] =>
        of
          .epochs()
          .flatMap(({ id, fault }) => (ids.has(idKey(id)) ? [`${idKey(id)} ${fault ?? 'counts'}`] : []))
          .sort()
      expect(faults(made.kernel)).toEqual(faults(kernel))
      const kept = intentions.filter(({ id }) => made.kernel.has(id))
      for (const a of kept) {
        for (const b of kept) {
          expect(made.kernel.isAncestor(a.id, b.id)).toBe(kernel.isAncestor(a.id, b.id))
        }
      }
      expect((await made.kernel.verify()).problems).toEqual([])
      for (const id of counting(made.kernel)) {
        const later = intentions.find((one) => equalBytes(one.id, id))
        const next = made.kernel.foundation(id)?.read(0, 1e9)
        if (next === undefined || later === undefined || equalBytes(id, base)) continue
        expect(toHex(toldChainEnds(next))).toBe(ends(later))
        // And with what follows from that, and from what came after.
        foundLog(made.kernel, next, later)
        handed += 1
      }
      // Another can begin with what it was given.
      expect(made.kernel.foundation()?.read(0, 1e9)).toEqual(items)
      await made.kernel.close()
      await kernel.close()
    }),
    {
      numRuns: 9,
      endOnFailure: true,
      // What came after cites one of which little is kept, and another that it follows.
      examples: [[{ seed: 863432, authors: 5, runs: 44, timePasses: false }, 1430197323]],
    },
  )
  expect(founded).toBeGreaterThan(3)
  expect(handed).toBeGreaterThan(3)
})
