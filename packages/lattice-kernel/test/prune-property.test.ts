/** A log that was pruned, compared with one that never is. */
import { causesOf, compareBytes, idKey, type IntentionId, type ParsedIntention, toHex, ZERO_HASH } from '@lattice/model'
import { addInto } from '@lattice/sync'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel, KernelEvent } from '../src/index.ts'
import { openTestKernel, removeDirectories, signerOf, type TestKernel, type TestKernelOptions } from './harness.ts'
import { createModelPolicy } from './model-policy.ts'
import { createPruneHistory, type PruneHistory } from './prune-history.ts'

afterEach(removeDirectories)

const RUNS = { numRuns: Number(process.env['LATTICE_PRUNE_RUNS'] ?? 6) }
/** Where more are asked for than the suite has time for. */
const TIMEOUT_MS: number = 20_000 + 2000 * RUNS.numRuns
const hex = (ids: readonly Uint8Array[]): readonly string[] => ids.map(toHex)

async function open(
  { storeId }: Pick<PruneHistory, 'storeId'>,
  options: Partial<TestKernelOptions> = {},
): Promise<TestKernel> {
  return openTestKernel({ storeId, signer: signerOf(9), membership: createModelPolicy(), snapshots: true, ...options })
}

/** Resolves at an event after which something holds. */
async function until(kernel: Kernel, holds: (event: KernelEvent) => boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = kernel.onEvent((event) => {
      if (!holds(event)) return
      cancel()
      resolve()
    })
  })
}

async function ingest(kernel: Kernel, intentions: readonly ParsedIntention[]): Promise<void> {
  const outcomes = await kernel.ingest(intentions, undefined)
  expect(outcomes.filter(({ kind }) => kind !== 'witnessed' && kind !== 'duplicate')).toEqual([])
}

/** In an order in which causes come first, and drawn anew each time. */
function shuffled({ random }: PruneHistory, intentions: readonly ParsedIntention[]): readonly ParsedIntention[] {
  const left = [...intentions]
  const here = new Set<string>()
  const ours = new Set(left.map(({ id }) => idKey(id)))
  const order: ParsedIntention[] = []
  while (left.length > 0) {
    const ready = left.filter(({ intention }) =>
      causesOf(intention).every((cause) => !ours.has(idKey(cause)) || here.has(idKey(cause))),
    )
    const one = ready[random.below(ready.length)]
    if (one === undefined) throw new Error('a cycle')
    left.splice(left.indexOf(one), 1)
    here.add(idKey(one.id))
    order.push(one)
  }
  return order
}

/** What a log with this base holds. */
function expectedSet({ all, isBelow }: PruneHistory, base: ParsedIntention): readonly ParsedIntention[] {
  return all.filter((one) => !isBelow(one, base) || ['genesis', 'system', 'epoch'].includes(one.op.kind))
}

function sumOf(intentions: readonly ParsedIntention[]): Uint8Array {
  const sum = new Uint8Array(ZERO_HASH.length)
  for (const { id } of intentions) addInto(sum, id)
  return sum
}

async function expectSame(pruned: Kernel, whole: Kernel, expected: readonly ParsedIntention[]): Promise<void> {
  expect(toHex(await pruned.stateDigest())).toBe(toHex(await whole.stateDigest()))
  expect(pruned.digest().witnessCount).toBe(expected.length)
  expect(toHex(pruned.digest().fingerprint)).toBe(toHex(sumOf(expected)))
  const index = pruned.rangeIndex()
  expect(index.size()).toBe(expected.length)
  const items = [...index.items(0, index.size())].map(({ id }) => toHex(id)).sort()
  expect(items).toEqual(expected.map(({ id }) => toHex(id)).sort())
  expect(hex(pruned.frontier())).toEqual(hex(whole.frontier()))
  const tips = (kernel: Kernel) =>
    kernel
      .tips()
      .map(({ author, tips: ends }) => ({
        author: toHex(author),
        tips: ends.map(({ id, position, joined }) => `${toHex(id)} ${position} ${joined}`).sort(),
      }))
      .sort((a, b) => (a.author < b.author ? -1 : 1))
  expect(tips(pruned)).toEqual(tips(whole))
  expect(toHex(pruned.digest().tipsDigest)).toBe(toHex(whole.digest().tipsDigest))
  const epochs = (kernel: Kernel) =>
    kernel.epochs().map(({ id, fault, isHead, isSettled, isUpheld, waitingFor }) => ({
      id: toHex(id),
      fault,
      isHead,
      isSettled,
      isUpheld,
      waitingFor: hex(waitingFor),
    }))
  expect(epochs(pruned)).toEqual(epochs(whole))
  for (const one of expected) expect(pruned.has(one.id)).toBe(true)
}

/** Makes a prune final in the pruned kernel, and waits until it is done. */
async function finishPrune(
  history: PruneHistory,
  { pruned, whole }: { readonly pruned: Kernel; readonly whole: Kernel },
  { epoch, early }: { readonly epoch: ParsedIntention; readonly early: readonly ParsedIntention[] },
): Promise<void> {
  await ingest(whole, [...early, epoch])
  const made = until(pruned, (event) => event.kind === 'snapshot_made' && toHex(event.epoch) === toHex(epoch.id))
  await ingest(pruned, shuffled(history, [...early, epoch]))
  await made
  const { candidate, settled } = pruned.snapshot()
  const root = [candidate, settled].find((info) => info && toHex(info.epoch) === toHex(epoch.id))?.root
  if (root === undefined) throw new Error('there is no root')
  const acks = history.peers.flatMap(({ publicKey }, n) =>
    compareBytes(publicKey, epoch.intention.author) === 0 ? [] : [history.ack(n, epoch, root)],
  )
  await ingest(whole, acks)
  const done = until(pruned, ({ kind }) => kind === 'pruned')
  await ingest(pruned, shuffled(history, acks))
  await done
}

describe('a pruned log', () => {
  test(
    'has the state, the ends and the set of one that was not, whatever comes after',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), fc.boolean(), async (seed, isTwice) => {
          const history = createPruneHistory(seed)
          const first = await open(history)
          const { kernel: whole } = await open(history, { snapshots: false })
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
            pruned = (await open(history, first.options)).kernel
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
