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

const FEW = 9
const RUNS = Number(process.env['LATTICE_REMOVAL_RUNS'] ?? FEW)

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
      // The newest first: what is shown is more of what is so.
      const chosen = bases[random.below(Math.min(2, Math.max(1, bases.length)))]
      const base = intentions.find(({ id }) => chosen !== undefined && equalBytes(chosen, id))
      const items = base && whole.kernel.foundation(base.id)?.read(0, 1e9)
      const signers = Array.from({ length: authors }, (_, author) => signerOf(1 + author))
      const removed = signers.filter(({ publicKey }) => whole.kernel.revokedBy(publicKey).length > 0)
      await whole.kernel.close()
      if (base === undefined || items === undefined) return
      const from = removed.length > 0 && random.below(4) > 0 ? removed : signers
      const victim = from[random.below(from.length)] ?? expect.unreachable()
      // It was away from some time on, but for what it met by chance.
      const left = random.below(intentions.length)
      const some = intentions.filter((_, at) => random.below(at < left ? 6 : 60) === 0)
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
      const acks = vouchersOf(base, items).map((ack) => ({ kind: 'ack', ack }) as const)
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
    // The same histories each time, so that there are both kinds among few; more are drawn where more are asked for.
    { numRuns: RUNS, endOnFailure: true, ...(RUNS === FEW && { seed: 3 }) },
  )
  expect(Math.min(seen.shown, seen.not)).toBeGreaterThan(0)
})
