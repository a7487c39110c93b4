/** A log that was pruned, compared with one that never is. */
import type { IntentionId, ParsedIntention } from '@lattice/model'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { removeDirectories } from './harness.ts'
import { createPruneHistory, expectedSet, shuffled } from './prune-history.ts'
import { expectSame, finishPrune, ingest, openPruning } from './prune-pair.ts'

afterEach(removeDirectories)

const RUNS = { numRuns: Number(process.env['LATTICE_PRUNE_RUNS'] ?? 6) }
/** Where more are asked for than the suite has time for. */
const TIMEOUT_MS: number = 20_000 + 2000 * RUNS.numRuns

describe('a pruned log', () => {
  test(
    'has the state, the ends and the set of one that was not, whatever comes after',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), fc.boolean(), async (seed, isTwice) => {
          const history = createPruneHistory(seed)
          const first = await openPruning(history)
          const { kernel: whole } = await openPruning(history, { snapshots: false })
          let { kernel: pruned } = first
          history.writes(30)
          await ingest(whole, history.all)
          await ingest(pruned, shuffled(history, history.all))
          let base: ParsedIntention | undefined
          for (let round = 0; round < (isTwice ? 2 : 1); round += 1) {
            const by = history.random.below(history.peers.length)
            base = history.prune(by)
            const others = history.peers.flatMap((_, n) => (n === by ? [] : [n]))
            // What the others write before they see it.
            const early = history.writes(history.random.below(8), others)
            await finishPrune(history, { pruned, whole }, { epoch: base, early })
            await expectSame(pruned, whole, expectedSet(history, base))
            const later = history.writes(15)
            const chunks = shuffled(history, later)
            await ingest(whole, later)
            for (let from = 0; from < chunks.length; from += 4) await ingest(pruned, chunks.slice(from, from + 4))
            await expectSame(pruned, whole, expectedSet(history, base))
            await pruned.rebuild()
            await expectSame(pruned, whole, expectedSet(history, base))
            const report = await pruned.verify({ full: true })
            expect([report.problems, report.unchecked]).toEqual([[], []])
            await pruned.close()
            pruned = (await openPruning(history, first.options)).kernel
            await expectSame(pruned, whole, expectedSet(history, base))
          }
          const gone: readonly IntentionId[] = history.all
            .filter((one) => base !== undefined && !expectedSet(history, base).includes(one))
            .map(({ id }) => id)
          for (const id of gone) expect([pruned.has(id), pruned.get(id)]).toEqual([false, undefined])
          await pruned.close()
          await whole.close()
        }),
        RUNS,
      )
    },
    TIMEOUT_MS,
  )
})
