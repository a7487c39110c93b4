/** What a foundation shows a peer of its removal is what it would know if it had all of that history. */
import { causesOf, equalBytes, genesisStoreId, idKey, isGenesis, type ParsedIntention } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { encodeFoundationItem } from '../src/index.ts'
import { createCutoffDag } from './cutoff-dag.ts'
import { removeDirectories, signerOf } from './harness.ts'
import { counting, openPlain, vouchersOf } from './plain-foundation.ts'

afterEach(removeDirectories)

const RUNS = Number(process.env['LATTICE_REMOVAL_RUNS'] ?? 14)

/** These and all in their past. */
function pastOf(all: readonly ParsedIntention[], ends: readonly ParsedIntention[]): readonly ParsedIntention[] {
  const past = new Set(ends.map(({ id }) => idKey(id)))
  return all
    .toReversed()
    .filter(({ id, intention }) => {
      if (!past.has(idKey(id))) return false
      if (!isGenesis(intention)) for (const cause of causesOf(intention)) past.add(idKey(cause))
      return true
    })
    .reverse()
}

test('what a foundation shows is what all of it would come to, together with what is here', async () => {
  const seen = { shown: 0, not: 0 }
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
      const random = createSeededRandom(seed)
      const authors = 3 + random.below(3)
      const { genesis, intentions } = createCutoffDag({ seed, authors, runs: 15 + random.below(30), isWaited: true })
      const storeId = genesisStoreId(genesis)
      const whole = await openPlain({ storeId })
      await whole.kernel.ingest(intentions, undefined)
      const bases = counting(whole.kernel).filter((id) => whole.kernel.foundation(id) !== undefined)
      const base = intentions.find(({ id }) => bases.some((each) => equalBytes(each, id)) && random.below(2) === 0)
      const items = base && whole.kernel.foundation(base.id)?.read(0, 1e9)
      await whole.kernel.close()
      if (base === undefined || items === undefined) return
      const victim = signerOf(1 + random.below(authors))
      const some = intentions.filter(() => random.below(12) === 0)
      const known = pastOf(intentions, [genesis, ...some])
      const here = await openPlain({ storeId, signer: victim })
      await here.kernel.ingest(known, undefined)
      await here.kernel.recheckFloating()
      const own = known.filter(({ id }) => here.kernel.has(id))
      const both = await openPlain({ storeId, signer: victim })
      await both.kernel.ingest([...own, ...pastOf(intentions, [base])], undefined)
      await both.kernel.recheckFloating()
      const isNew = both.kernel.revokedBy(victim.publicKey).some((id) => !here.kernel.has(id))
      await both.kernel.close()

      const proof = here.kernel.openRemovalProof()
      const acks = vouchersOf(base, 7).map((ack) => ({ kind: 'ack', ack }) as const)
      expect(await proof?.add([...items, ...acks].map(encodeFoundationItem))).toBe(undefined)
      const result = await proof?.end()
      proof?.close()
      if (isNew) expect(result).toBe(true)
      else expect([false, { code: 'not_removed' }]).toContainEqual(result)
      expect(here.kernel.removal() !== undefined).toBe(isNew)
      seen[isNew ? 'shown' : 'not'] += 1
      expect((await here.kernel.verify()).problems).toEqual([])
      await here.kernel.close()
    }),
    // One in which something is shown, whatever the others are.
    { numRuns: RUNS, endOnFailure: true, examples: [[296_128]] },
  )
  expect(Math.min(seen.shown, seen.not)).toBeGreaterThan(0)
})
