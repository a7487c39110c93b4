/** What may be beside an epoch for a log to be cut there, and for the set over it to be had. */
import { create } from '@bufbuild/protobuf'
import { equalBytes, type KnownOp, toHex } from '@lattice/model'
import { weaver } from '@lattice/proto'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { createHistory, keyOf, openCut } from './cutoff-history.ts'
import { removeDirectories, START_MS } from './harness.ts'
import { createPruneHistory, shuffled } from './prune-history.ts'
import { expectSame, finishPrune, ingest, keptOf, openPruning, until } from './prune-pair.ts'

afterEach(removeDirectories)

const ack: KnownOp = { kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) }

/** An epoch that names 2 and 3; nobody waits for 4. `below`: what 3 wrote before, of which only the last is a tip. */
async function openBeside() {
  const history = createHistory()
  const older = history.write(3, 'set a 1')
  const below = history.write(3, 'set b 1')
  const tips = [1, 2, 3, 4, 5].flatMap(
    (author) => history.all.findLast(({ intention }) => equalBytes(intention.author, keyOf(author))) ?? [],
  )
  const epoch = history.remove(1, 5, tips, { acks: [2, 3] })
  const { kernel } = await openCut({ storeId: history.storeId })
  const isOver = async (): Promise<boolean> => {
    await kernel.ingest(history.all, undefined)
    for (const { id } of history.all) expect(kernel.has(id)).toBe(true)
    return kernel.over(epoch.id) !== undefined
  }
  return { history, epoch, older, below, kernel, isOver }
}

describe('the set over an epoch is had', () => {
  test('with nothing beside it, and with what those wrote who have to acknowledge it', async () => {
    const { history, kernel, isOver, older } = await openBeside()
    expect(await isOver()).toBe(true)
    history.write(2, 'set c 1', [older])
    expect(await isOver()).toBe(true)
    await kernel.close()
  })

  test('with a write of another once one of those had seen it when it acknowledged, and not otherwise', async () => {
    const { history, epoch, kernel, isOver } = await openBeside()
    const beside = history.write(4, 'set c 1')
    expect(await isOver()).toBe(false)
    // All see it after they have acknowledged: who pruned before judged it by what it did not know.
    history.write(2, 'set d 1', [epoch])
    history.write(3, 'set d 2', [epoch])
    for (const author of [1, 2, 3]) history.write(author, 'set e 1', [beside])
    expect(await isOver()).toBe(false)
    await kernel.close()
    const next = await openBeside()
    const seen = next.history.write(4, 'set c 1')
    next.history.write(2, 'set d 1', [next.epoch, seen])
    expect(await next.isOver()).toBe(true)
    await next.kernel.close()
  })

  test('with a run of which it had seen a part', async () => {
    const { history, epoch, kernel, isOver, older } = await openBeside()
    const [part] = [history.write(4, 'set c 1', [], false), history.write(4, 'set c 2', [older])]
    history.write(2, 'set d 1', part === undefined ? [] : [part, epoch])
    expect(await isOver()).toBe(true)
    history.write(4, 'set c 3')
    expect(await isOver()).toBe(false)
    await kernel.close()
  })

  test('with an acknowledgement of what ends below it, and of anything else once all have seen it', async () => {
    const { history, epoch, kernel, isOver, older, below } = await openBeside()
    history.write(4, ack, [below])
    expect(await isOver()).toBe(true)
    const unplaced = history.write(4, ack, [older])
    expect(await isOver()).toBe(false)
    for (const author of [2, 3]) history.write(author, ack, [epoch])
    for (const author of [1, 2]) history.write(author, ack, [unplaced])
    expect(await isOver()).toBe(false)
    history.write(3, ack, [unplaced])
    expect(await isOver()).toBe(true)
    await kernel.close()
  })

  test('with an acknowledgement of what is cited by those who are waited for', async () => {
    const { history, kernel, isOver, older } = await openBeside()
    history.write(4, ack, [older])
    expect(await isOver()).toBe(false)
    history.write(2, 'set c 1', [older])
    expect(await isOver()).toBe(true)
    await kernel.close()
  })
})

describe('a node with a write beside the epoch that not everybody has', () => {
  test('waits for a later epoch, which takes it along, whatever came first', { timeout: 30_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
        const history = createPruneHistory(seed, { isLastReader: true })
        const reader = history.peers.length - 1
        const { kernel: whole } = await openPruning(history, { snapshots: false })
        const { kernel: pruned } = await openPruning(history)
        history.writes(12, history.active())
        const epoch = history.prune(0)
        const beside = history.writes(1, [reader])
        const made = until(pruned, (event) => event.kind === 'snapshot_made' && toHex(event.epoch) === toHex(epoch.id))
        for (const kernel of [whole, pruned]) await ingest(kernel, shuffled(history, history.all))
        await made
        const root = pruned.snapshot().candidate?.root ?? pruned.snapshot().settled?.root ?? new Uint8Array()
        const acks = [1, 2].map((by) => history.ack(by, epoch, root))
        for (const kernel of [whole, pruned]) await ingest(kernel, shuffled(history, acks))
        while (pruned.pruning().waitsFor !== 'beside') await turn()
        const overs = (): readonly boolean[] => [whole, pruned].map((each) => each.over(epoch.id) !== undefined)
        expect([overs(), pruned.base(), planned(pruned)]).toEqual([[false, false], undefined, 'beside'])
        history.sees(0, [...acks, ...beside])
        const next = history.prune(0)
        await finishPrune(history, { pruned, whole }, { epoch: next, early: [] })
        expect(pruned.base()).toMatchObject({ epoch: next.id })
        await expectSame(pruned, whole, keptOf(history, whole, next))
        await pruned.close()
        await whole.close()
      }),
      { numRuns: 3, endOnFailure: true },
    )
  })
})

function planned(kernel: Kernel): string | undefined {
  return kernel.planPrune({ keepCount: 1, nowMs: START_MS + 1e6 }).hindrance
}

async function turn(): Promise<void> {
  await new Promise<void>((resolve) => void setImmediate(resolve))
}
