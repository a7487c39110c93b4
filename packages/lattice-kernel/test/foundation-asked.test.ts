/** A node that has pruned and one that has not hand out the same foundation. */
import { toHex } from '@lattice/model'
import * as fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import type { FoundationItem, Kernel } from '../src/index.ts'
import { removeDirectories } from './harness.ts'
import { createPruneHistory, shuffled } from './prune-history.ts'
import { ingest, openPruning, until } from './prune-pair.ts'

afterEach(removeDirectories)

function itemsOf(kernel: Kernel, at?: Parameters<Kernel['foundation']>[0]): readonly FoundationItem[] {
  const items = kernel.foundation(at)?.read(0, 1e9) ?? []
  return items.filter(({ kind }) => kind !== 'ack')
}

interface Handed {
  /** Undefined where it was looked for first. */
  readonly first: readonly FoundationItem[] | undefined
  readonly before: readonly FoundationItem[]
  readonly after: readonly FoundationItem[]
}

/** What a kernel hands out at an epoch before it prunes and after, with so much written beside it. */
async function handOut(seed: number, beside: number): Promise<Handed> {
  const history = createPruneHistory(seed)
  const { kernel } = await openPruning(history)
  history.writes(25)
  await ingest(kernel, shuffled(history, history.all))
  const epoch = history.prune(0)
  const early = history.writes(beside, [1, 2])
  const made = until(kernel, (event) => event.kind === 'snapshot_made' && toHex(event.epoch) === toHex(epoch.id))
  await ingest(kernel, shuffled(history, [...early, epoch]))
  await made
  const { candidate, settled } = kernel.snapshot()
  const root = [candidate, settled].find((info) => info && toHex(info.epoch) === toHex(epoch.id))?.root
  if (root === undefined) throw new Error('there is no root')
  const isShared = kernel.over(epoch.id) !== undefined
  const first = kernel.foundation(epoch.id) && itemsOf(kernel, epoch.id)
  while (isShared && kernel.foundation(epoch.id) === undefined) await turn()
  const before = itemsOf(kernel, epoch.id)
  const acks = history.active().flatMap((n) => (n === 0 ? [] : [history.ack(n, epoch, root)]))
  const done = until(kernel, ({ kind }) => kind === 'pruned')
  await ingest(kernel, shuffled(history, acks))
  await done
  const after = itemsOf(kernel)
  await kernel.close()
  return { first, before, after }
}

async function turn(): Promise<void> {
  await new Promise<void>((resolve) => void setImmediate(resolve))
}

test('of what was written beside the epoch all that it asks about is told by who has not pruned as well', async () => {
  let compared = 0
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
      const { before, after } = await handOut(seed, 6)
      expect(before).toEqual(after)
      compared += 1
    }),
    { numRuns: 6, endOnFailure: true },
  )
  expect(compared).toBeGreaterThan(4)
})

test('much that was written beside the epoch is looked through in slices, and nothing is handed out meanwhile', async () => {
  const { first, before, after } = await handOut(5, 150)
  expect(first).toBeUndefined()
  expect(before.length).toBeGreaterThan(0)
  expect(before).toEqual(after)
})

test('what is excluded asks as well: at an epoch whose author did not know why, it counts', async () => {
  const history = createPruneHistory(1)
  const { kernel } = await openPruning(history)
  const below = history.put(1, [history.genesis])
  // Its author goes on: of the last of each the place is kept in any case.
  history.sees(0, [history.put(1, [history.genesis])])
  const epoch = history.prune(0)
  const beside = history.put(2, [history.genesis])
  const made = until(kernel, (event) => event.kind === 'snapshot_made' && toHex(event.epoch) === toHex(epoch.id))
  await ingest(kernel, history.all)
  await made
  const root = kernel.snapshot().candidate?.root ?? expect.unreachable()
  const removal = history.remove(0, 2)
  const acks = [1, 3].map((by) => history.ack(by, removal, root, [beside]))
  const done = until(kernel, ({ kind }) => kind === 'pruned')
  await ingest(kernel, [removal, ...[1, 3].map((by) => history.ack(by, epoch, root)), ...acks])
  await done
  expect(kernel.excluded(10).map(({ id }) => id)).toEqual([beside.id])
  expect(kernel.base()?.epoch).toEqual(epoch.id)
  const anchors = itemsOf(kernel).flatMap((item) => (item.kind === 'anchor' ? [toHex(item.id)] : []))
  expect(anchors).toContain(toHex(below.id))
  await kernel.close()
})
