/** A log that was pruned, compared with one that never is. */
import { type IntentionId, type ParsedIntention, toHex } from '@lattice/model'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { removeDirectories } from './harness.ts'
import { createPruneHistory, expectedSet, shuffled } from './prune-history.ts'
import { expectSame, expectSameSeen, finishPrune, ingest, keptOf, openPruning } from './prune-pair.ts'

afterEach(removeDirectories)

const RUNS = { numRuns: Number(process.env['LATTICE_PRUNE_RUNS'] ?? 4) }
/** Where more are asked for than the suite has time for. */
const TIMEOUT_MS: number = 20_000 + 10_000 * RUNS.numRuns

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
            expectSameSeen(history, { pruned, whole })
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

  test('and of one with peers that were removed before it, or are after', { timeout: TIMEOUT_MS }, async () => {
    const seen = { excluded: 0, links: 0 }
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), fc.boolean(), async (seed, isBefore) => {
        const history = createPruneHistory(seed, { peers: 4 })
        const first = await openPruning(history)
        const { kernel: whole } = await openPruning(history, { snapshots: false })
        let { kernel: pruned } = first
        const both = async (intentions: readonly ParsedIntention[]): Promise<void> => {
          for (const kernel of [whole, pruned]) await kernel.ingest(shuffled(history, intentions), undefined)
        }
        history.writes(30)
        await both(history.all)
        if (isBefore) {
          const removal = history.remove(0, 4)
          // It does not know, and some who do not either build on it.
          await both([removal, ...history.writes(6, [4, 4, 4, 3])])
          await both(history.writes(8, [0, 1, 2, 3]))
        }
        const base = history.prune(0)
        const early = history.writes(4, [1, 2])
        await finishPrune(history, { pruned, whole }, { epoch: base, early })
        const expectSamePair = async (): Promise<void> => expectSame(pruned, whole, keptOf(history, whole, base))
        await expectSamePair()
        const removal = history.remove(0, isBefore ? 3 : 4)
        const late = history.writes(8, isBefore ? [3, 4] : [4, 4, 3])
        await both(late.slice(0, 4))
        await both([removal])
        await both([...late.slice(4), ...history.writes(8, [0, 1, 2])])
        await expectSamePair()
        const list = (kernel: Kernel) => kernel.excluded(100).map(({ id, isLink }) => `${toHex(id)} ${isLink}`)
        const kept = new Set(list(whole))
        expect(list(pruned).every((one) => kept.has(one))).toBe(true)
        for (const { isLink } of pruned.excluded(100)) seen[isLink ? 'links' : 'excluded'] += 1
        await pruned.rebuild()
        await expectSamePair()
        expect((await pruned.verify({ full: true })).problems).toEqual([])
        await pruned.close()
        pruned = (await openPruning(history, first.options)).kernel
        await expectSamePair()
        history.sees(1, [removal])
        const again = history.prune(1)
        await finishPrune(history, { pruned, whole }, { epoch: again, early: [] })
        await expectSame(pruned, whole, keptOf(history, whole, again))
        await pruned.close()
        await whole.close()
      }),
      { ...RUNS, examples: [[291912, false]] },
    )
    expect(Object.values(seen).every((count) => count > 0)).toBe(true)
  })
})
