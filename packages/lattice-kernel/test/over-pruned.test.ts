/** A node that pruned and one that did not have the same over any base that both can work over. */
import { create } from '@bufbuild/protobuf'
import { compareBytes, type ParsedIntention, toHex } from '@lattice/model'
import { weaver } from '@lattice/proto'
import * as fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { createFoundationWriter, type Kernel } from '../src/index.ts'
import { crypto, removeDirectories, signerOf, START_MS, temporaryDirectory } from './harness.ts'
import { createModelPolicy } from './model-policy.ts'
import { createPruneHistory, expectedSet, type PruneHistory, shuffled } from './prune-history.ts'
import { finishPrune, ingest, openPruning } from './prune-pair.ts'

afterEach(removeDirectories)

function idsOver(kernel: Kernel, epoch: ParsedIntention): readonly string[] {
  const index = kernel.over(epoch.id)?.rangeIndex()
  return index === undefined ? [] : [...index.items(0, index.size())].map(({ id }) => toHex(id))
}

/** A log of the foundation that a kernel hands out. */
function found(kernel: Kernel, history: PruneHistory, epoch: ParsedIntention): string {
  const directory = temporaryDirectory()
  const about = { directory, storeId: history.storeId, crypto, signer: signerOf(9), membership: createModelPolicy() }
  const writer = createFoundationWriter({ ...about, clock: { wallMs: () => START_MS } })
  const root = new Uint8Array(32).fill(5)
  const acks = history.peers.flatMap(({ publicKey }, n) =>
    compareBytes(publicKey, epoch.intention.author) === 0 ? [] : [history.ack(n, epoch, root)],
  )
  const items = kernel.foundation(epoch.id)?.read(0, 1e9) ?? []
  expect(writer.add([...items, ...acks.map((ack) => ({ kind: 'ack', ack }) as const)])).toMatchObject({ ok: true })
  expect(writer.finish()).toMatchObject({ ok: true, value: { root } })
  writer.close()
  return directory
}

test('over its base, and a later epoch, a pruned log has what another has, and hands it on', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
      const history = createPruneHistory(seed)
      const { kernel: pruned } = await openPruning(history)
      const { kernel: whole } = await openPruning(history, { snapshots: false })
      history.writes(25)
      await ingest(whole, history.all)
      await ingest(pruned, shuffled(history, history.all))
      const base = history.prune(0)
      await finishPrune(history, { pruned, whole }, { epoch: base, early: history.writes(4, [1, 2]) })
      expect(pruned.over(base.id)?.digest()).toEqual(pruned.digest())
      expect(whole.over(base.id)?.digest()).toEqual(pruned.digest())
      expect(idsOver(whole, base)).toEqual(idsOver(pruned, base))

      const first = history.writes(12)
      const later = history.epoch(
        1,
        { case: 'initial', value: create(weaver.InitialCauseSchema) },
        history.peers.filter((_, n) => n !== 1),
      )
      const beside = history.writes(6, [0, 2])
      const next = [...first, later, ...beside]
      await ingest(whole, next)
      await ingest(pruned, shuffled(history, next))
      expect(pruned.over(later.id)?.digest()).toEqual(whole.over(later.id)?.digest())
      expect(idsOver(pruned, later)).toEqual(idsOver(whole, later))
      const expected = expectedSet(history, later)
      expect(idsOver(pruned, later).toSorted()).toEqual(expected.map(({ id }) => toHex(id)).sort())
      // The genesis is no epoch.
      expect(pruned.over(history.genesis.id)).toBeUndefined()

      for (const kernel of [pruned, whole]) {
        const made = await openPruning(history, { directory: found(kernel, history, later), snapshots: false })
        await ingest(made.kernel, expected)
        expect(made.kernel.digest()).toEqual(whole.over(later.id)?.digest())
        await made.kernel.close()
      }
      const plan = pruned.planPrune({ keepCount: 1, nowMs: START_MS })
      expect(plan.epoch && toHex(plan.epoch)).toBe(toHex(later.id))
      const stays = plan.stays.intentions + plan.goes.intentions
      expect(stays).toBe(pruned.stats().witnessCount)
      expect(plan.stays.intentions).toBe(expected.length)
      await pruned.close()
      await whole.close()
    }),
    { numRuns: 3, endOnFailure: true },
  )
})
