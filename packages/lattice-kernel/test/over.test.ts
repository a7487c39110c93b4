/** Sets over an epoch are what a slow reading of the history says, however it arrived. */
import { equalBytes, genesisStoreId, idKey, type IntentionId, type ParsedIntention } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { accumulate, createMemoryRangeIndex, type Item, type RangeIndex } from '@lattice/sync'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { isSharedModel } from './beside-model.ts'
import { createCutoffDag, readFacts } from './cutoff-dag.ts'
import { createHistory, openCut } from './cutoff-history.ts'
import { removeDirectories } from './harness.ts'
import { isModelRecord } from './membership-model.ts'
import { shuffled } from './random-dag.ts'

afterEach(removeDirectories)

/** What counts and is not below, with the genesis and the records below: all of the history is read. */
function expectOver(kernel: Kernel, base: IntentionId): readonly Item[] {
  const excluded = new Set(
    kernel
      .excluded(4096)
      .filter(({ isLink }) => !isLink)
      .map(({ id }) => idKey(id)),
  )
  return kernel
    .scanWitness(1, 4096)
    .map(({ parsed }) => parsed)
    .filter(({ id, op }) => !excluded.has(idKey(id)) && (isModelRecord(op) || !kernel.isAncestor(id, base)))
    .map(({ id, intention }) => ({ id, timestamp: intention.timestamp.wall }))
}

/** What is unsigned and below goes on below: so does the epoch itself, which is signed. */
function isClosed(intentions: readonly ParsedIntention[], kernel: Kernel, base: IntentionId): boolean {
  const isThere = (id: IntentionId): boolean => equalBytes(id, base) || kernel.isAncestor(id, base)
  const known = intentions.filter(({ id }) => kernel.has(id))
  return known
    .filter(({ id, signature }) => signature.length === 0 && isThere(id))
    .every(({ id }) => known.some((next) => equalBytes(next.intention.storePrev, id) && isThere(next.id)))
}

/** What is beyond a cutoff below the base is what one knows who has seen nothing but what is below it. */
async function isUpheld(all: readonly ParsedIntention[], kernel: Kernel, base: IntentionId): Promise<boolean> {
  const below = all.filter(({ id }) => kernel.has(id) && kernel.isAncestor(id, base))
  const { kernel: there } = await openCut({ storeId: kernel.storeId })
  await there.ingest([...below, ...all.filter(({ id }) => equalBytes(id, base))], undefined)
  const [known, now] = [there, kernel].map((each) => {
    const cut = each.excluded(4096).map(({ id }) => idKey(id))
    const none = each.epochs().flatMap(({ id, fault }) => (fault === undefined ? [] : [idKey(id)]))
    const isBelow = new Set(below.map(({ id }) => idKey(id)))
    return [...cut, ...none].filter((key) => isBelow.has(key)).sort()
  })
  await there.close()
  return now?.join() === known?.join()
}

/** All beside it is had by whoever begins there, or can be placed. */
function isShared(kernel: Kernel, base: IntentionId): boolean {
  const all = kernel.scanWitness(1, 4096).map(({ parsed }) => parsed)
  const { view } = readFacts(all, new Set(all.map(({ id }) => idKey(id))))
  return isSharedModel(kernel, base, view)
}

function counting(kernel: Kernel): readonly IntentionId[] {
  const excluded = new Set(kernel.excluded(4096).flatMap(({ id, isLink }) => (isLink ? [] : [idKey(id)])))
  return kernel.epochs().flatMap(({ id, fault }) => (fault === undefined && !excluded.has(idKey(id)) ? [id] : []))
}

/** Compares two indexes by all that can be asked of one, at places of chance. */
function expectSame(index: RangeIndex, model: RangeIndex, seed: number): void {
  const random = createSeededRandom(seed)
  const size = model.size()
  expect(index.size()).toBe(size)
  expect([...index.items(0, size)]).toEqual([...model.items(0, size)])
  for (let count = 0; count < 12; count += 1) {
    const begin = random.below(size)
    const end = begin + random.below(size - begin + 1)
    expect(index.at(begin)).toEqual(model.at(begin))
    expect(index.accumulate(begin, end)).toEqual(model.accumulate(begin, end))
    expect([...index.items(begin, end)]).toEqual([...model.items(begin, end)])
    const { timestamp, id } = model.at(begin)
    for (const bound of [
      { timestamp, prefix: id },
      { timestamp: timestamp + 1, prefix: new Uint8Array(0) },
      { timestamp, prefix: id.subarray(0, random.below(33)) },
      { timestamp: Infinity, prefix: new Uint8Array(0) },
    ]) {
      expect(index.lowerBound(bound)).toBe(model.lowerBound(bound))
    }
  }
}

const dags = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  authors: fc.integer({ min: 2, max: 5 }),
  runs: fc.integer({ min: 10, max: 45 }),
  timePasses: fc.boolean(),
  isWaited: fc.constant(true),
})

describe('the set over an epoch', () => {
  test('is what counts and is not below it, with the records below, while history arrives', async () => {
    let asked = 0
    const kept = { shared: 0, not: 0 }
    await fc.assert(
      fc.asyncProperty(dags, async (options) => {
        const { genesis, intentions } = createCutoffDag(options)
        const { kernel } = await openCut({ storeId: genesisStoreId(genesis) })
        const random = createSeededRandom(options.seed)
        // In part against its causes, so that epochs come before what was written beside them.
        const arrivals = random.below(2) === 0 ? shuffled(intentions, options.seed) : [...intentions]
        while (arrivals.length > 0) {
          await kernel.ingest(arrivals.splice(0, 1 + random.below(25)), undefined)
          for (const base of counting(kernel)) {
            const set = kernel.over(base)
            const isOne =
              isClosed(intentions, kernel, base) &&
              isShared(kernel, base) &&
              (await isUpheld([genesis, ...intentions], kernel, base))
            kept[isShared(kernel, base) ? 'shared' : 'not'] += 1
            expect(set !== undefined).toBe(isOne)
            if (set === undefined) continue
            const items = expectOver(kernel, base)
            const { sum, count } = accumulate(items.map(({ id }) => id))
            expect(set.digest()).toEqual({ ...kernel.digest(), witnessCount: count, fingerprint: sum })
            expectSame(set.rangeIndex(), createMemoryRangeIndex(items), options.seed)
            asked += 1
          }
        }
        await kernel.close()
      }),
      { numRuns: 5, endOnFailure: true },
    )
    expect(asked).toBeGreaterThan(15)
    expect(Math.min(kept.shared, kept.not)).toBeGreaterThan(5)
  })

  test('is handed out once and follows what is written later, beside the epoch as well', async () => {
    const history = createHistory()
    const { kernel } = await openCut({ storeId: history.storeId })
    const [last] = history.all.slice(-1)
    const epoch = history.remove(1, 5, last === undefined ? [] : [last], { acks: [2, 3, 4] })
    await kernel.ingest(history.all, undefined)
    const set = kernel.over(epoch.id)
    const before = set?.digest().witnessCount ?? 0
    // One that had not seen the epoch, then one that had.
    await kernel.ingest([history.write(2, 'set a 1')], undefined)
    await kernel.ingest([history.write(3, 'set b 1', [epoch])], undefined)
    expect(kernel.over(epoch.id)).toBe(set)
    expect(set?.digest().witnessCount).toBe(before + 2)
    await kernel.close()
  })

  test('shrinks when another epoch takes writes out', async () => {
    const history = createHistory()
    const { kernel } = await openCut({ storeId: history.storeId })
    const epoch = history.remove(1, 5, [], { acks: [2, 3, 4] })
    const cut = history.write(4, 'set a 1')
    await kernel.ingest(history.all, undefined)
    const ids = (): readonly Uint8Array[] => {
      const index = kernel.over(epoch.id)?.rangeIndex()
      return index === undefined ? [] : [...index.items(0, index.size())].map(({ id }) => id)
    }
    expect(ids()).toContainEqual(cut.id)
    const held = ids().length
    await kernel.ingest([history.remove(2, 4, [])], undefined)
    expect(ids()).not.toContainEqual(cut.id)
    // Its greeting is gone as well; the epoch has come.
    expect(ids().length).toBe(held - 1)
    await kernel.close()
  })

  test('is none for what is not here, no epoch, or an epoch without effect', async () => {
    const history = createHistory()
    const { kernel } = await openCut({ storeId: history.storeId })
    const [first] = history.start.slice(-1)
    const forbidden = history.remove(3, 4, first === undefined ? [] : [first])
    await kernel.ingest(history.all, undefined)
    const absent = history.remove(1, 4, [], { acks: [2, 3, 5] })
    expect(kernel.epochs().map(({ fault }) => fault)).toEqual(['not_entitled'])
    expect(kernel.over(absent.id)).toBeUndefined()
    expect(kernel.over(forbidden.id)).toBeUndefined()
    for (const { id } of history.start) expect(kernel.over(id)).toBeUndefined()
    await kernel.ingest([absent], undefined)
    expect(kernel.over(absent.id)).toBeDefined()
    await kernel.close()
  })
})
